"""A study on a Ray cluster gives what it gives on one machine, though a node is lost under it.

The cluster is a real one of two nodes on this machine, with a CPU each.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from study_kit import Deadly, Faulty, bits, ran, tiny, toml

from frustration.commands.study import main as study
from frustration.engine.backends import STACKED
from frustration.errors import FrustrationError
from frustration.files import StorageError
from frustration.references import ProblemReference
from frustration.runners import ray as ray_engine
from frustration.runners.events import LoopDone, StudyStart, TrialDone, TrialFailed
from frustration.runners.pool import WorkerError
from frustration.runners.ray import RayEngine
from frustration.study import run
from frustration.study.definition import Study
from frustration.study.presets import preset
from frustration.study.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not there"),
]

GRID = {
    "architectures": '["[1*2]", "[1*4]", "[2*2]"]',
    "modes": '["none", "hidden/persist"]',
    "trials": "2",
    "meta_loops": "40",
    "train_fraction": "0.1",
}
TRIALS, LOOPS = 12, 480
# Ray takes 127.0.0.1 for "the address that others know this machine by".
HERE = {"node_ip_address": "127.0.0.2", "num_cpus": 1, "object_store_memory": 200 * 10**6}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Store:
    store, outcome = ran(tmp_path_factory.mktemp("alone") / "grid", tiny(**GRID))
    assert outcome.done == TRIALS
    return store


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # nodes know study_kit
        cluster = Cluster(initialize_head=True, head_node_args={**HERE, "include_dashboard": False})
        try:
            yield cluster
        finally:
            cluster.shutdown()


def test_a_node_that_dies_costs_only_the_loops_that_were_running_on_it(cluster, tmp_path, alone):
    doomed = cluster.add_node(**HERE)
    cluster.wait_for_nodes()
    told = Counter()
    at_work, events = set(), []

    def emit(event):
        events.append(event)
        if isinstance(event, LoopDone):
            told[event.trial_id, event.entry.loop] += 1
            at_work.add(str(alone.record(event.trial_id).spec.architecture))
            if len(at_work) == 2 and doomed in cluster.worker_nodes:
                # Two groups are under way, and each node has a CPU for one.
                cluster.remove_node(doomed, allow_graceful=False)

    handler = signal.getsignal(signal.SIGTERM)
    store, outcome = ran(
        tmp_path / "grid", tiny(**GRID), engine=RayEngine(cluster.address), workers=None, emit=emit
    )
    assert doomed not in cluster.worker_nodes
    (start,) = (event for event in events if isinstance(event, StudyStart))
    assert start.workers == 2
    assert (outcome.total, outcome.done, outcome.failed) == (TRIALS, TRIALS, 0)
    assert bits(store) == bits(alone)
    # What was lost is only what nobody had heard of: every loop was handed in once.
    assert len(told) == LOOPS
    assert set(told.values()) == {1}
    done = [event.trial_id for event in events if isinstance(event, TrialDone)]
    assert sorted(done) == sorted(store.ids()[0])
    lines = [json.loads(line)["id"] for line in (store.root / "index.jsonl").read_text().splitlines() if line]
    assert sorted(lines) == sorted(done)
    assert not list((store.root / "work").glob("*.safetensors"))
    assert signal.getsignal(signal.SIGTERM) == handler


def test_interrupted_on_a_cluster_it_is_finished_on_one_machine(cluster, tmp_path, alone):
    """What a terminal does at Ctrl-C: the signal goes to every process of the command."""
    file = tmp_path / "grid.toml"
    file.write_text(toml(**GRID, name='"grid"'))
    words = ["run", str(file), "--results", str(tmp_path), "--engine", "ray", "--address", cluster.address]
    process = subprocess.Popen(
        [sys.executable, "-m", "frustration", "study", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    store = Store(tmp_path / "grid")
    end = time.monotonic() + 60
    while not store.begun() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert "interrupted: " in printed
    assert "Traceback" not in printed
    assert store.begun()
    loops = []
    _, outcome = ran(
        store.root, store.study(), emit=lambda e: loops.append(e) if isinstance(e, LoopDone) else None
    )
    assert outcome.done == TRIALS
    assert len(loops) < LOOPS
    assert bits(store) == bits(alone)


def test_a_stacked_problem_is_trained_there_as_it_is_here(cluster, tmp_path):
    grid = Study(
        name="grid",
        problems=(ProblemReference.parse("digits:Digits(channels=2, hidden=4)"),),
        modes=("none", "plain", "hidden"),
        trials=1,
        meta_loops=2,
        learning_rates=(1e-2,),
        batch_size=128,
        stacked=True,
    )
    here, _ = ran(tmp_path / "here", grid)
    there, outcome = ran(tmp_path / "there", grid, engine=RayEngine(cluster.address), workers=None)
    assert outcome.done == 3
    assert {there.record(one).numerics["backend"] for one in there.ids()[0]} == {STACKED}
    assert bits(there) == bits(here)


def test_the_study_of_any_network_is_killed_on_a_cluster_and_finished_there_with_the_same_bits(
    cluster, tmp_path
):
    grid = replace(preset("any-network"), trials=1, meta_loops=4)
    here, _ = ran(tmp_path / "here", grid)
    store = Store(tmp_path / "any-network")
    words = ["run", "any-network", "trials=1", "meta_loops=4", "--results", str(tmp_path), "--engine", "ray"]
    process = subprocess.Popen(
        [sys.executable, "-m", "frustration", "study", *words, "--address", cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + 120
    while not store.begun() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert store.begun()
    _, outcome = ran(store.root, grid, engine=RayEngine(cluster.address), workers=None)
    assert (outcome.total, outcome.done) == (7, 7)
    assert bits(store) == bits(here)


def test_a_trial_that_fails_on_a_node_is_a_record_of_failure_here(cluster, tmp_path, monkeypatch, alone):
    with monkeypatch.context() as patch:
        patch.setattr(run, "Trial", Faulty)
        events = []
        store, outcome = ran(
            tmp_path / "grid", tiny(**GRID), engine=RayEngine(cluster.address), emit=events.append
        )
    assert (outcome.done, outcome.failed) == (TRIALS - 3, 3)
    assert {event.trial_id for event in events if isinstance(event, TrialFailed)} == store.ids()[1]
    assert all("ZeroDivisionError: made up" in failure["traceback"] for failure in store.failures())
    assert bits(store) == {i: kept for i, kept in bits(alone).items() if i not in store.ids()[1]}


def test_a_group_that_ends_its_workers_is_not_tried_for_ever(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "Trial", Deadly)
    # What is kept would be an ordinary trial: here it begins anew, and dies again.
    monkeypatch.setattr(run.Claims, "_revived", lambda claims, fresh: fresh)
    monkeypatch.setattr(ray_engine, "MOST_LOSSES", 2)
    with pytest.raises(WorkerError, match="lost its worker 2 times without finishing a loop"):
        ran(tmp_path / "grid", tiny(architectures='["[1*2]"]'), engine=RayEngine(cluster.address))


def test_a_disk_that_refuses_ends_the_run_in_one_sentence(cluster, tmp_path, alone):
    store = Store(tmp_path / "grid")
    study = tiny(**GRID)
    store.create(study)
    blocked = store.record_path(min(alone.ids()[0])).parent
    blocked.write_text("not a folder")
    with pytest.raises(StorageError, match=f"cannot make the folder {blocked}"):
        ran(store.root, study, engine=RayEngine(cluster.address))
    blocked.unlink()
    assert ran(store.root, study)[1].done == TRIALS
    assert bits(store) == bits(alone)


def test_a_cluster_that_has_nothing_to_give_is_refused_and_not_waited_for(cluster, tmp_path):
    with pytest.raises(FrustrationError, match=r"no node of the Ray cluster .* has a GPU and a CPU to give"):
        ran(tmp_path / "grid", engine=RayEngine(cluster.address, "cuda"), workers=None)


@pytest.mark.parametrize(
    "address, said",
    [
        ("127.0.0.1:1", "no Ray cluster answers at .*:1: Connection refused"),
        ("nonsense", 'neither "auto" nor HOST:PORT'),
        ("ray://127.0.0.1:10001", "Ray Client"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address, said, tmp_path, capsys):
    words = ["run", "--architectures", "[1*2]", "--modes", "none", "--results", str(tmp_path / "results")]
    assert study([*words, "--engine", "ray", "--address", address]) in (1, 2)
    (sentence,) = capsys.readouterr().err.splitlines()
    assert re.search(said, sentence)
    assert not (tmp_path / "results").exists()


def test_what_cannot_be_meant_is_refused(capsys):
    words = ["run", "--architectures", "[1*2]", "--modes", "none"]
    assert study([*words, "--engine", "rya"]) == 2
    assert 'engine "rya" is not one of local, ray' in capsys.readouterr().err
    assert study([*words, "--address", "auto"]) == 2
    assert "it needs --engine ray" in capsys.readouterr().err
