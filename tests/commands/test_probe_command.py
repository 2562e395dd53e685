"""`probe`: what it says, refuses and prints, and how it ends."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from frustration.commands import main as frustration
from frustration.commands.probe import main
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

pytestmark = pytest.mark.slow

GRID = """
name = "grid"
architectures = ["[1*4]", "[2*3]"]
modes = ["none", "hidden"]
trials = 1
meta_loops = 1
train_fraction = 0.02
"""
FEW = ("--draws", "4", "--images", "200", "--workers", "1")
COMMAND = [sys.executable, "-m", "frustration", "probe"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Results with one study in them, whose probes any test may remove."""
    results = tmp_path_factory.mktemp("results")
    run_study(prepare(Study.from_toml(GRID)), Store(results / "grid"), workers=1)
    return results


@pytest.fixture
def results(trained) -> Path:
    for path in trained.glob("grid/probes/*/*"):
        path.unlink()
    return trained


@pytest.fixture
def call(results, capsys):
    def call(*words: str, code: int = 0) -> tuple[str, str]:
        assert main([*words, "--results", str(results)]) == code
        printed = capsys.readouterr()
        return printed.out, printed.err

    return call


def test_it_says_what_is_missing_measures_it_and_shows_a_table(call, results):
    out, _ = call("grid", *FEW, "--dry-run")
    assert "4 networks lack something, 0 are done; nothing is written" in out
    assert "knockout: 4 networks" in out
    assert not (results / "grid" / "probes").exists() or not list(results.glob("grid/probes/*/*"))
    out, err = call("grid", *FEW)
    assert err == ""
    assert out.startswith("4 networks to measure, 0 done (7 measures, 4 draws, 200 test images); 1 worker\n")
    rows = [line.split() for line in out.splitlines() if line.startswith(("[1*4]", "[2*3]"))]
    assert [row[:3] for row in rows] == [
        [architecture, mode, "1"] for architecture in ("[1*4]", "[2*3]") for mode in ("none", "hidden")
    ]
    assert all(len(row) == 12 for row in rows)
    assert re.search(r"cost of a network: \d+\.\d\d s of CPU time \(\w+ \d", out)
    assert "(4 networks done)" in out
    out, _ = call("grid", *FEW)
    assert out.startswith("0 networks to measure, 4 done")
    assert "cost of a network" not in out


def test_it_is_a_subcommand_too(results, capsys):
    words = ["probe", "grid", *FEW, "--what", "memory", "--results", str(results)]
    assert frustration(words) == 0
    assert "probes: " in capsys.readouterr().out


def test_the_way_that_is_typed_in_shells_is_understood(call):
    out, _ = call("grid", *FEW, "--what", "weight-noise", "memory", "--dry-run")
    assert "weight_noise: 4 networks" in out
    assert "memory: 4 networks" in out
    assert "knockout" not in out


@pytest.mark.parametrize(
    "words, sentence",
    [
        (("grit",), 'there is no study "grit" in .*; there are grid'),
        (("grid", "--what", "knockot"), r'"knockot" is no measure \(did you mean knockout\?\)'),
        (("grid", "--draws", "0"), "--draws 0 is not a whole number from 1"),
        (("grid", "--images", "many"), "--images many is not a whole number"),
        (("grid", "--worker", "2"), r"no flag --worker \(did you mean --workers\?\)"),
        ((), r"name a study.*; there are grid"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, call):
    out, err = call(*words, code=2)
    assert out == ""
    assert err.startswith("frustration probe: ")
    assert err.count("\n") == 1
    assert re.search(sentence, err)


def test_a_damaged_network_is_one_sentence_and_exit_code_1(call, results):
    path = sorted(results.glob("grid/networks/*/*.safetensors"))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + b"?" + whole[-19:])
    try:
        out, err = call("grid", *FEW, code=1)
    finally:
        path.write_bytes(whole)
    assert re.fullmatch(rf"frustration probe: {path} is damaged \(.*\); its trial is left out\n", err)
    assert "(3 networks done)" in out
    out, err = call("grid", *FEW)
    assert err == ""
    assert "(4 networks done)" in out


def test_a_study_without_networks_is_refused(tmp_path, capsys):
    study = Study.from_toml(GRID + "networks = false\n")
    run_study(prepare(study), Store(tmp_path / "grid"), workers=1)
    assert main(["grid", "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "frustration probe: grid has kept no networks (its study.toml says networks = false)"
    )
    assert said.count("\n") == 1


def test_a_study_without_trials_is_refused(tmp_path, capsys):
    Store(tmp_path / "grid").create(Study.from_toml(GRID))
    assert main(["grid", "--results", str(tmp_path)]) == 2
    assert "holds no finished trial to probe" in capsys.readouterr().err


def test_ctrl_c_ends_it_cleanly_and_it_continues_from_there(call, results):
    words = ["grid", "--results", str(results), "--workers", "2", "--draws", "300"]
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(results.glob("grid/probes/*/[!.]*.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues" in out
    assert err == ""
    assert not list(results.glob("grid/probes/*/.*.partial"))
    out, _ = call("grid", *FEW)
    assert "(4 networks done)" in out


def test_a_pipe_gets_no_control_codes_even_if_colour_is_forced(results):
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "TTY_COMPATIBLE": "1"}
    words = ["grid", *FEW, "--results", str(results)]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, env=environment, check=True)
    assert not re.search(r"[^\n -~─µ]", done.stdout)
    assert done.stderr == ""


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(results):
    primary, secondary = pty.openpty()
    words = ["grid", *FEW, "--results", str(results)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.Popen([*COMMAND, *words], stdout=secondary, stderr=secondary, env=environment)
    os.close(secondary)
    shown = b""
    while process.poll() is None or select.select([primary], [], [], 0)[0]:
        if select.select([primary], [], [], 0.1)[0]:
            try:
                shown += os.read(primary, 65536)
            except OSError:  # the other end is closed
                break
    os.close(primary)
    assert process.wait() == 0
    text = shown.decode()
    assert "━" in text
    assert "networks" in text
    assert "\x1b[?25h" in text  # the cursor is back


def test_the_live_picture_says_how_far_it_is(tmp_path):
    from rich.console import Console

    from frustration.probes.events import Measured, NotMeasured
    from frustration.probes.plan import Missing, ProbePlan
    from frustration.probes.run import Start
    from frustration.probes.settings import Wanted
    from frustration.spec import TrialSpec
    from frustration.study.store import Store
    from frustration.terminal.probe import ProbeShow
    from frustration.terminal.view import LiveView

    specs = [TrialSpec.of("[1*4]", "none", trial=trial) for trial in range(4)]
    missing = tuple(Missing(spec=spec, measures=("knockout", "memory"), cost=2.0) for spec in specs)
    found = ProbePlan(missing=missing, done=3, without=2, complaints=())
    with (Path(os.devnull)).open("w") as nowhere:
        console = Console(file=nowhere, width=90, force_terminal=True)
        view = LiveView(ProbeShow(Store(tmp_path)), stop := threading.Event(), console)
        try:
            view.tell(Start(plan=found, wanted=Wanted.of(draws=9), workers=2))
            view.tell(Measured(specs[0].id, "knockout", 0.1))
            view.tell(Measured(specs[0].id, "memory", 0.1))
            view.tell(NotMeasured(specs[1].id, "is damaged"))
            stop.set()
            picture = view.picture()
        finally:
            view.close()
    paper = Console(width=90)
    with paper.capture() as captured:
        paper.print(picture)
    text = captured.get()
    assert "2/8 measures, 1 network left out" in text
    assert " 50 %" in text
    assert "memory of [1*4] none, trial 0" in text
    assert "stopping; what is done is kept" in text
