"""Jobs that are cut off come to the same bits as ones that are not, however they were cut off."""

import json
import shutil
import time

import boto3
import launch_kit as kit
import pytest
from simulator.machine import has_namespaces
from simulator.service import Interruption

from frustration.study.store import Store

pytestmark = pytest.mark.cloud

LONG = {"architectures": '["[1*8]"]', "meta_loops": "30"}
"""Four trials of thirty loops, in one job."""


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What LONG comes to without any interruption, on this machine."""
    return kit.bits(kit.files_of(kit.trained_here(tmp_path_factory.mktemp("here"), **LONG)))


def job_of(service, ending="-a01"):
    (name,) = [name for name in service.jobs if name.endswith(ending)]
    return name


def phases(service, name):
    return [step["Status"] for step in service.jobs[name].secondary_status_transitions]


def log(name):
    """All messages of a job, stream by stream."""
    logs, group = boto3.client("logs"), "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
    return [
        [
            event["message"]
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10_000
            )["events"]
        ]
        for stream in streams
    ]


def loops_of(messages):
    """(trial, loop) of all that a stream tells of."""
    told = [json.loads(message) for message in messages if message.startswith('{"type": "loop"')]
    return [(one["id"], one["loop"]) for one in told]


@pytest.mark.parametrize("hard", [False, True], ids=["with-warning", "without-warning"])
def test_a_spot_instance_that_is_taken_away_costs_no_bit(service, tmp_path, hard):
    longer = {**LONG, "meta_loops": "100"}  # so that a quick machine, too, is caught at work twice
    service.interruptions = [
        Interruption(when=lambda m: m.loops >= 20 and m.uploads >= 4, hard=hard),
        Interruption(when=lambda m: m.loops >= 40 and m.uploads >= 4, hard=hard),
    ]
    assert kit.launch(tmp_path, **longer) == 0
    service.wait()
    name = job_of(service)
    assert service.statuses() == {name: "Completed"}
    assert phases(service, name).count("Interrupted") == 2
    expected = kit.bits(kit.files_of(kit.trained_here(tmp_path / "all", **longer)))
    assert kit.bits(kit.archive(name)) == expected
    if not hard:
        streams = [loops_of(messages) for messages in log(name)]
        again = [loop for stream in streams for loop in stream]
        assert len(streams) == 3
        assert len(again) == len(set(again)) == 400  # SIGTERM arrived: what was done was saved, all of it


def test_checkpoints_that_were_torn_on_their_way_cost_work_and_no_bit(service, tmp_path, here):
    """A record without its network, half a record, half a checkpoint, half of a file nobody knows."""
    s3 = boto3.client("s3")
    torn = []

    def tear():
        names = sorted(kit.lying(f"{kit.PLACE.root}checkpoints/"))
        networks = [name for name in names if "/networks/" in name]
        records = [name for name in names if "/trials/" in name]
        resumes = [name for name in names if "/work/" in name]
        assert len(networks) >= 2
        s3.delete_object(Bucket=kit.BUCKET, Key=networks[0])
        other = networks[1].split("/")[-1].removesuffix(".safetensors")
        halves = [name for name in records if other in name] + resumes[:1]
        for name in halves:
            body = s3.get_object(Bucket=kit.BUCKET, Key=name)["Body"].read()
            s3.put_object(Bucket=kit.BUCKET, Key=name, Body=body[: len(body) // 2])
        partial = f"{records[0].rpartition('/')[0]}/.x.json.1-1.partial"
        s3.put_object(Bucket=kit.BUCKET, Key=partial, Body=b"{")
        torn.extend(halves)

    def two_are_done(machine):
        return len(list((machine.base / "checkpoints" / "networks").rglob("*.safetensors"))) >= 2 and (
            sum("/trials/" in key for key in kit.lying(f"{kit.PLACE.root}checkpoints/")) >= 2
        )

    changed = {**LONG, "trials": "20", "meta_loops": "12"}
    service.interruptions = [Interruption(when=two_are_done, hard=True, meanwhile=tear)]
    assert kit.launch(tmp_path, "--hours", "10", **changed) == 0
    service.wait()
    assert torn
    name = job_of(service)
    assert service.statuses() == {name: "Completed"}
    expected = kit.bits(kit.files_of(kit.trained_here(tmp_path / "all", **changed)))
    assert kit.bits(kit.archive(name)) == expected


def test_a_job_that_runs_out_of_time_continues_in_its_next_attempt(service, tmp_path, here):
    service.time_of = lambda machine, seconds: machine.loops
    flags = ("--max-run-seconds", "50", "--spot", "false")
    assert kit.launch(tmp_path, *flags, "--wait", **LONG) == 0
    first, *later = sorted(service.jobs)
    assert later
    assert service.statuses()[first] == "Stopped"
    assert "MaxRuntimeExceeded" in phases(service, first)
    streams = [loops_of(messages) for name in sorted(service.jobs) for messages in log(name)]
    told = [loop for stream in streams for loop in stream]
    assert len(told) == len(set(told)) == 120
    assert kit.bits(kit.archive(later[-1])) == here


def test_a_job_that_is_stopped_leaves_what_it_has_and_the_next_attempt_continues(service, tmp_path):
    changed = {**LONG, "trials": "20", "meta_loops": "12"}
    assert kit.launch(tmp_path, "--hours", "10", **changed) == 0
    first = job_of(service)
    deadline = time.monotonic() + 60
    while not kit.lying(f"{kit.PLACE.root}checkpoints/"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    boto3.client("sagemaker").stop_training_job(TrainingJobName=first)
    service.wait()
    assert service.statuses() == {first: "Stopped"}
    left = kit.archive(first)
    assert {"results.txt", "comprehensive_results.json", "study/study.toml"} <= set(left)
    assert kit.launch(tmp_path, "--hours", "10", **changed) == 0
    service.wait()
    second = job_of(service, "-a02")
    assert service.statuses()[second] == "Completed"
    whole = kit.bits(kit.archive(second))
    assert len(whole) == 80
    assert kit.bits(left).items() <= whole.items()


@pytest.mark.parametrize("namespaces", [False, True], ids=["plain", "namespace"])
def test_the_container_is_the_same_with_and_without_a_namespace(service, tmp_path, here, namespaces):
    if namespaces and not has_namespaces():
        pytest.skip("unshare cannot make mount and process namespaces here")
    service.namespaces = namespaces
    assert kit.launch(tmp_path, **LONG) == 0
    service.wait()
    assert kit.bits(kit.archive(job_of(service))) == here


def test_a_study_that_grew_after_its_first_launch_is_whole_in_the_end(service, tmp_path):
    small = {**LONG, "meta_loops": "4"}
    for trials in ("1", "3"):
        assert kit.launch(tmp_path, **{**small, "trials": trials}) == 0
        service.wait()
    assert list(service.statuses().values()) == ["Completed"] * 2
    away = {}
    for name in service.jobs:
        away |= kit.archive(name)
    here = kit.trained_here(tmp_path / "here", **{**small, "trials": "3"})
    assert kit.bits(away) == kit.bits(kit.files_of(here))


def test_data_that_are_not_what_was_planned_with_end_the_job_with_a_reason(service, tmp_path):
    """The failure reaches FailureReason; attempts end; fixed, the same command continues."""
    service.runs = False
    assert kit.launch(tmp_path, **LONG) == 0
    kit.come_to(service, "Failed")
    service.runs = True
    s3 = boto3.client("s3")
    key = next(key for key in kit.lying("frustration/data/") if "train-labels" in key)
    good = s3.get_object(Bucket=kit.BUCKET, Key=key)["Body"].read()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 0xFF
    s3.put_object(Bucket=kit.BUCKET, Key=key, Body=bytes(bad))
    assert kit.launch(tmp_path, **LONG) == 0
    service.wait()
    second = job_of(service, "-a02")
    assert service.statuses()[second] == "Failed"
    reason = boto3.client("sagemaker").describe_training_job(TrainingJobName=second)["FailureReason"]
    assert "train-labels" in reason
    s3.put_object(Bucket=kit.BUCKET, Key=key, Body=good)
    assert kit.launch(tmp_path, **LONG) == 0
    service.wait()
    assert service.statuses()[job_of(service, "-a03")] == "Completed"


def test_wheels_are_installed_without_an_index_and_before_what_the_image_has(service, tmp_path):
    """A wheel that shadows safetensors says so in the log: it was there, and first."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels / "said_first-1.0-py3-none-any.whl")
    code = "--wheels", str(wheels)
    assert kit.launch(tmp_path, *code, **{**LONG, "meta_loops": "1"}) == 0
    service.wait()
    name = job_of(service)
    assert service.statuses()[name] == "Completed"
    assert any(message == "said_first is here" for stream in log(name) for message in stream)


def _wheel(path):
    """`tomllib` is what every job imports; this one speaks, and hands on what the library has."""
    import base64
    import hashlib
    import zipfile

    module = (
        "import importlib.util, sysconfig\n"
        "print('said_first is here', flush=True)\n"
        "from importlib.machinery import PathFinder\n"
        "spec = PathFinder.find_spec('tomllib', [sysconfig.get_path('stdlib')])\n"
        "real = importlib.util.module_from_spec(spec)\n"
        "import sys; sys.modules['tomllib'] = real\n"
        "spec.loader.exec_module(real)\n"
    )
    files = {
        "tomllib.py": module,
        "said_first-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: said-first\nVersion: 1.0\n",
        "said_first-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr("said_first-1.0.dist-info/RECORD", record + "said_first-1.0.dist-info/RECORD,,\n")


def test_what_a_job_sends_home_is_a_store_and_the_original_s_two_files(service, tmp_path):
    changed = {"architectures": '["[1*4]", "[1*2]"]'}
    assert kit.launch(tmp_path, "--hours", "10", **changed) == 0
    service.wait()
    files = kit.archive(job_of(service))
    root = tmp_path / "home"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    store = Store(root / "study")
    assert store.study() == kit.study(**changed)
    records = {record.spec.id: record for record in store.records()}
    listed = json.loads(files["comprehensive_results.json"])
    assert len(listed) == len(records) == 8
    assert [(one["architecture"], one["ablation_mode"], one["trial"]) for one in listed] == [
        (architecture, mode, trial)
        for architecture in ("[1*4]", "[1*2]")
        for mode in ("none", "hidden")
        for trial in (0, 1)
    ]
    for one, line in zip(listed, files["results.txt"].decode().splitlines(), strict=True):
        record = records[one["id"]]
        assert one["best_validation_accuracy"] == one["bounty"] == record.bounty
        assert one["final_test_accuracy"] == record.test_accuracy
        assert one["best_validation_epoch"] == record.bounty_loop
        assert line == f"{record.bounty:.2f}"
    shutil.rmtree(root)
