"""Launching: every piece of work exactly once, whatever the service and other launchers do."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import boto3
import launch_kit as kit
import pytest
from botocore.client import BaseClient
from botocore.exceptions import SSLError

from frustration.cloud.jobs import by_pack, list_jobs

ACCOUNT = "123456789012"
COMMAND = (sys.executable, "-m", "frustration", "sagemaker-launch")


@pytest.fixture
def idle(service):
    """The service, with jobs that go nowhere until a test ends them."""
    service.runs = False
    return service


def test_what_is_launched_once_is_not_launched_again(idle, tmp_path, capsys):
    assert kit.launch(tmp_path) == 0
    assert sorted(kit.plan().pack_of) == sorted(spec.id for spec in kit.plan().specs())
    there = kit.lying()
    assert kit.launch(tmp_path) == 0
    kit.come_to(idle, "Completed")
    assert kit.launch(tmp_path) == 0
    assert len(idle.jobs) == 2
    assert "uploaded" not in capsys.readouterr().out.partition("2 running")[2]
    assert {key for key in kit.lying() if "/output/" not in key} == there


@pytest.mark.cloud
def test_jobs_wait_while_the_quota_is_full(service, tmp_path):
    service.quota = 1
    assert kit.launch(tmp_path, architectures='["[1*2]", "[1*3]", "[1*4]"]') == 0
    service.wait()
    assert list(service.statuses().values()) == ["Completed"] * 3
    assert "ResourceLimitExceeded" in service.refused


@pytest.mark.cloud
def test_no_more_jobs_run_at_a_time_than_the_user_wants(service, tmp_path, monkeypatch):
    create, most = service.create, []

    def counted(response, original):
        result = create(response, original)
        most.append(sum(status == "InProgress" for status in service.statuses().values()))
        return result

    monkeypatch.setattr(service, "create", counted)
    architectures = {"architectures": '["[1*2]", "[1*3]", "[1*4]"]'}
    assert kit.launch(tmp_path, "--instances", "100", **{**architectures, "trials": "1"}) == 0
    assert max(most) > 1
    service.wait()
    most.clear()
    assert kit.launch(tmp_path, "--instances", "1", "--force-rerun", **{**architectures, "trials": "1"}) == 0
    assert most == [1, 1, 1]


def test_an_account_without_any_quota_is_told_so_at_once(idle, tmp_path, capsys):
    idle.quota = 0
    assert kit.launch(tmp_path) == 1
    said = capsys.readouterr()
    assert "may not use that instance type at all" in said.err
    assert ACCOUNT not in said.out + said.err


@pytest.mark.filterwarnings("ignore:Exception.Throttled")
def test_throttling_is_waited_for(idle, tmp_path):
    idle.throttle = 3
    assert kit.launch(tmp_path) == 0
    assert idle.refused == ["ThrottlingException"] * 3
    assert len(idle.jobs) == 2


def test_a_name_that_another_launcher_has_taken_is_left_to_it(idle, tmp_path, capsys, monkeypatch):
    assert kit.launch(tmp_path) == 0
    # As the listing was before the other launcher's jobs stood in it.
    monkeypatch.setattr("frustration.cloud.launch.list_jobs", lambda sagemaker, place: iter(()))
    assert kit.launch(tmp_path) == 0
    assert "0 jobs launched, 2 by other launchers" in capsys.readouterr().out
    assert len(idle.jobs) == 2


@pytest.mark.cloud
def test_two_launchers_at_once_share_the_plan_and_launch_each_pack_once(idle, tmp_path):
    architectures = json.dumps([f"[1*{width}]" for width in range(1, 13)])
    file = tmp_path / "away.toml"
    file.write_text(kit.toml(architectures=architectures))
    # The second has other ideas about the size of a pack; whoever writes the plan decides for both.
    words = [[*COMMAND, str(file), *kit.FLAGS, *size] for size in (kit.apart(), ("--instances", "100"))]
    both = [subprocess.Popen(w, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) for w in words]
    try:
        told = [one.communicate(timeout=120)[0] for one in both]
    finally:
        for one in both:
            one.kill()
    assert [one.returncode for one in both] == [0, 0], told
    counts = [re.search(r"(\d+) jobs launched, (\d+) by", text) for text in told]
    launched = [int(match[1]) if match else 0 for match in counts]
    assert sum(launched) == len(idle.jobs) == len(kit.plan().packs)
    trials = [trial for pack in kit.plan().packs for trial in pack.trials]
    assert len(trials) == len(set(trials)) == 48


def test_jobs_are_found_behind_pages_that_hold_none_of_ours(idle, tmp_path):
    assert kit.launch(tmp_path) == 0
    sagemaker = boto3.client("sagemaker")
    name = next(iter(idle.jobs))
    request = {**idle.requests[name], "Tags": []}
    idle.quota = 1000
    for number in range(120):
        sagemaker.create_training_job(**{**request, "TrainingJobName": f"somebody-elses-{number}"})
    first = sagemaker.list_training_jobs(NameContains=kit.PLACE.job_prefix, MaxResults=100)
    assert not first["TrainingJobSummaries"]
    assert first["NextToken"]
    assert len(list(list_jobs(sagemaker, kit.PLACE))) == 2
    assert kit.launch(tmp_path) == 0
    assert len(idle.jobs) == 122


def test_a_good_result_is_not_hidden_by_a_later_failure(idle, tmp_path):
    assert kit.launch(tmp_path) == 0
    kit.come_to(idle, "Completed")
    first = set(idle.jobs)
    assert kit.launch(tmp_path, "--force-rerun") == 0
    kit.come_to(idle, "Failed")
    assert len(idle.jobs) == 4
    assert kit.launch(tmp_path) == 0
    assert len(idle.jobs) == 4
    packs = by_pack(list_jobs(boto3.client("sagemaker"), kit.PLACE))
    assert {of.best.name for of in packs.values()} == first


def test_a_rerun_begins_anew_and_a_retry_continues(idle, tmp_path):
    assert kit.launch(tmp_path) == 0
    one, other = idle.jobs
    kit.come_to(idle, "Completed", one)
    kit.come_to(idle, "Failed", other)
    assert kit.launch(tmp_path, "--force-rerun") == 0
    checkpoints = {name: request["CheckpointConfig"]["S3Uri"] for name, request in idle.requests.items()}
    assert checkpoints[other.replace("-a01", "-a02")] == checkpoints[other]
    assert checkpoints[one.replace("-a01", "-a02")] not in (checkpoints[one], checkpoints[other])


def test_completed_without_its_archive_is_not_done(idle, tmp_path, capsys):
    assert kit.launch(tmp_path) == 0
    for name in list(idle.jobs):
        idle.settle(name, "Completed")
    assert kit.launch(tmp_path) == 0
    assert capsys.readouterr().out.count("its model.tar.gz is missing") == 2
    assert sorted(name[-4:] for name in idle.jobs) == ["-a01", "-a01", "-a02", "-a02"]


@pytest.mark.parametrize("ending", ["Failed", "Stopped"])
def test_attempts_come_to_an_end(idle, tmp_path, capsys, ending):
    for attempts in (1, 2, 3):
        assert kit.launch(tmp_path) == 0
        assert len(idle.jobs) == 2 * attempts
        kit.come_to(idle, ending)
    assert kit.launch(tmp_path) == 1
    assert len(idle.jobs) == 6
    assert capsys.readouterr().out.count(f"{ending} after 3 attempts") == 2
    assert kit.launch(tmp_path, "--max-attempts", "4") == 0
    assert sorted(idle.jobs)[3].endswith("-a04")


def test_waiting_launches_again_what_fails_until_there_is_no_attempt_left(idle, tmp_path, monkeypatch):
    create = idle.create

    def fails_at_once(response, original):
        result = create(response, original)
        kit.come_to(idle, "Failed")
        return result

    monkeypatch.setattr(idle, "create", fails_at_once)
    assert kit.launch(tmp_path, "--wait") == 1
    assert len(idle.jobs) == 6


def test_a_study_that_has_grown_sends_only_what_is_new(idle, tmp_path):
    assert kit.launch(tmp_path) == 0
    kit.come_to(idle, "Completed")
    before = kit.plan()
    assert kit.launch(tmp_path, trials="3") == 0
    after = kit.plan()
    assert after.generations == 2
    assert after.packs[: len(before.packs)] == before.packs
    assert len(idle.jobs) == 4
    assert len(after.pack_of) == 12
    read = {
        name: request["InputDataConfig"][2]["DataSource"]["S3DataSource"]["S3Uri"]
        for name, request in idle.requests.items()
    }
    files = [read[f"fe-away-{pack.id}-a01"].rpartition("/")[2] for pack in after.packs]
    assert files == ["plan.json", "plan.json", "plan-002.json", "plan-002.json"]
    assert kit.launch(tmp_path, trials="3") == 0
    assert len(idle.jobs) == 4


def test_another_study_of_the_same_name_is_refused(idle, tmp_path, capsys):
    assert kit.launch(tmp_path) == 0
    assert kit.launch(tmp_path, seed="1") == 2
    assert "holds another study of this name" in capsys.readouterr().err
    assert len(idle.jobs) == 2


def test_a_study_can_be_launched_by_its_name_from_anywhere(idle, tmp_path, monkeypatch):
    assert kit.launch(tmp_path) == 0
    kit.come_to(idle, "Failed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert kit.main(["away", *kit.FLAGS]) == 0
    assert len(idle.jobs) == 4


def test_a_dry_run_writes_nothing_and_says_what_would_be_sent(idle, tmp_path, capsys):
    assert kit.launch(tmp_path, "--dry-run", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert kit.lying() == set()
    assert not idle.jobs
    assert kit.launch(tmp_path) == 0
    sent = json.dumps(list(idle.requests.values()))
    assert ACCOUNT in sent
    masked = json.loads(re.sub(r"\b[0-9]{12}\b", "*" * 12, sent))
    assert sorted(said["requests"], key=str) == sorted(masked, key=str)
    assert ACCOUNT not in json.dumps(said)


def test_a_study_with_a_problem_that_raises_is_not_launched(idle, tmp_path, capsys):
    problem = "from frustration.problems.digits import Digits\n\n\nclass Mine(Digits):\n"
    problem += "    def data(self):\n        1 / 0\n"
    (tmp_path / "mine.py").write_text(problem)
    assert kit.launch(tmp_path, "--dry-run", problems=f'["{tmp_path}/mine.py:Mine"]') == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: division by zero; a launch is for studies whose" in sentence


def test_a_dry_run_needs_a_region_and_nothing_else_of_the_cloud(tmp_path):
    """In a process without settings, credentials or a home folder, where a connection would fail."""
    (tmp_path / "away.toml").write_text(kit.toml())
    command = (
        "import sys; from frustration.commands.sagemaker_launch import main; sys.exit(main(sys.argv[1:]))"
    )
    asked = ("away.toml", "--dry-run", "--wheels", "none", "--instance-type", "ml.g4dn.xlarge")

    def said(*flags: str) -> subprocess.CompletedProcess:
        surroundings = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        line = [sys.executable, "-c", command, *asked, *flags]
        return subprocess.run(line, cwd=tmp_path, env=surroundings, capture_output=True, text=True)

    done = said("--region", "us-east-1")
    assert done.returncode == 0, done.stderr
    assert "no bucket is given, so AWS was not asked" in done.stderr
    for words in ("s3://BUCKET/frustration/studies/away/", "$0.7364", "nothing was launched"):
        assert words in done.stdout
    lacking = said()
    assert lacking.returncode == 2
    assert "the cloud settings lack AWS_REGION (such as us-east-1); write" in lacking.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["away.toml"]


def test_a_dry_run_says_count_hours_dollars_and_what_a_gpu_would_have_to_do(idle, tmp_path, capsys):
    assert kit.launch(tmp_path, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "The first of 2 requests" in said
    for words in ("ml.c5.xlarge", "ml.g4dn.xlarge", "$0.7364", "instance hours", "nothing was written"):
        assert words in said
    assert ACCOUNT not in said


def test_a_job_that_is_longer_than_the_service_lets_it_run_is_warned_about(idle, tmp_path, capsys):
    slow = ("--speed", "1e-6", "--max-run-seconds", "60")
    assert kit.launch(tmp_path, "--dry-run", *slow) == 0
    assert "MAX_RUN_SECONDS ends it" in capsys.readouterr().err
    assert kit.launch(tmp_path, "--dry-run") == 0
    assert "MAX_RUN_SECONDS" not in capsys.readouterr().err


def test_where_no_price_of_the_gpu_is_known_there_is_nothing_to_compare_with(idle, tmp_path, capsys):
    assert kit.launch(tmp_path, "--dry-run", "--region", "eu-west-1") == 0
    said = capsys.readouterr()
    assert "ml.g4dn.xlarge" not in said.out
    assert kit.launch(tmp_path, "--dry-run", "--region", "eu-west-1", "--compare", "ml.g4dn.xlarge") == 2


def test_more_than_the_budget_needs_a_yes(idle, tmp_path, capsys):
    dear = ("--price", "ml.c5.xlarge=1e9", "--budget", "1")
    assert kit.launch(tmp_path, *dear) == 2
    assert "more than the budget of $1; say --yes" in capsys.readouterr().err
    assert kit.lying() == set()
    assert not idle.jobs
    assert kit.launch(tmp_path, *dear, "--yes") == 0
    assert len(idle.jobs) == 2


def test_a_price_that_nobody_knows_is_an_error(idle, tmp_path, capsys):
    assert kit.launch(tmp_path, "--instance-type", "ml.c7i.large") == 2
    assert "--price ml.c7i.large=" in capsys.readouterr().err
    assert not idle.jobs


@pytest.mark.cloud
def test_ctrl_c_while_jobs_wait_leaves_what_the_next_launch_understands(idle, tmp_path):
    idle.quota = 1
    file = tmp_path / "away.toml"
    file.write_text(kit.toml())
    words = [*COMMAND, str(file), *kit.FLAGS, *kit.apart()]
    first = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    deadline = time.monotonic() + 60
    while "ResourceLimitExceeded" not in idle.refused and first.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    try:
        _, errors = first.communicate(timeout=60)
    finally:
        first.kill()
    assert first.returncode == 130, errors
    assert "interrupted: launched and running: fe-away-" in errors
    idle.quota = 100
    assert kit.launch(tmp_path) == 0
    assert [name[-4:] for name in idle.jobs] == ["-a01", "-a01"]


def test_a_connection_lost_while_launching_is_one_sentence_and_the_next_launch_does_the_rest(
    idle, tmp_path, capsys, monkeypatch
):
    create, asked = BaseClient._make_api_call, []

    def breaks_off(self, operation, parameters):
        if operation == "CreateTrainingJob":
            asked.append(parameters["TrainingJobName"])
            if len(asked) == 2:
                raise SSLError(endpoint_url="https://api", error="bad certificate\nverify failed")
        return create(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", breaks_off)
    assert kit.launch(tmp_path) == 1
    told, sentence = capsys.readouterr().err.splitlines()[-2:]
    assert told == f"launched and running: {asked[0]}; the same command launches what is missing"
    assert sentence.startswith(f"sagemaker-launch: it is not known whether {asked[1]} was launched: SSL")
    assert "bad certificate verify failed" in sentence
    assert kit.launch(tmp_path) == 0
    assert sorted(idle.jobs) == sorted(asked[:2])


def test_the_file_of_current_configurations_is_still_read(idle, tmp_path, monkeypatch):
    folder = tmp_path / "aws" / "sagemaker"
    folder.mkdir(parents=True)
    (folder / "current_batch_configurations.txt").write_text("# two\n1*2\n[1*4]\n")
    monkeypatch.chdir(tmp_path)
    assert kit.main([*kit.FLAGS, "--trials", "1", "--meta-loops", "1"]) == 0
    (request,) = idle.requests.values()
    assert request["HyperParameters"]["trials"] == "12"
    assert request["HyperParameters"]["study"].startswith("batch-")


def test_the_requests_keep_what_was_learnt(idle, tmp_path):
    assert kit.launch(tmp_path) == 0
    for name, request in idle.requests.items():
        assert request["AlgorithmSpecification"]["ContainerEntrypoint"][0] == "python3"
        assert request["ProfilerConfig"] == {"DisableProfiler": True}
        assert request["EnableManagedSpotTraining"]
        pack = request["HyperParameters"]["pack"]
        assert request["CheckpointConfig"]["S3Uri"].endswith(f"/away/checkpoints/{pack}/")
        assert name == f"fe-away-{pack}-a01"


def test_nothing_secret_is_sent(idle, tmp_path, capsys):
    env = tmp_path / ".env"
    env.write_text("AWS_ACCESS_KEY_ID=AKIDENV\nAWS_SECRET_ACCESS_KEY=sesame-open\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ.pop(name)
    assert kit.launch(tmp_path, "--env-file", str(env)) == 0
    s3 = boto3.client("s3", aws_access_key_id="x", aws_secret_access_key="y")
    written = b"".join(
        s3.get_object(Bucket=kit.BUCKET, Key=one["Key"])["Body"].read()
        for one in s3.list_objects_v2(Bucket=kit.BUCKET)["Contents"]
    )
    said = capsys.readouterr()
    everything = written + json.dumps(idle.requests).encode() + (said.out + said.err).encode()
    assert b"sesame-open" not in everything
    assert b"AKIDENV" not in everything


def test_help_needs_neither_torch_nor_boto3():
    program = "import sys; from frustration.commands.sagemaker_launch import main; main(['--help']); "
    program += "sys.exit(bool({'torch', 'boto3', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=Path.cwd())
    assert done.returncode == 0
