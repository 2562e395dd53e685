"""Where a study stands is told in a pipe, in JSON and live; stopping and listing touch only its own jobs."""

import json

import pytest
from cloud_study import PLACE, other_study
from home_kit import ACCOUNT, BUCKET, FLAGS, Cloud, moto_job

from frustration.commands.sagemaker_reconstruct_jobs import main as reconstruct
from frustration.commands.sagemaker_status import main as status
from frustration.commands.sagemaker_stop import main as stop


@pytest.fixture
def stops(monkeypatch) -> list[str]:
    """Names that were asked to stop; moto has no StopTrainingJob."""
    from moto.core.responses import EmptyResult
    from moto.sagemaker.exceptions import ValidationError
    from moto.sagemaker.responses import SageMakerResponse

    asked: list[str] = []

    def stopping(response):
        name = json.loads(response.body)["TrainingJobName"]
        asked.append(name)
        job = moto_job(name)
        if job.training_job_status != "InProgress":
            raise ValidationError(f"the training job is in status {job.training_job_status}")
        job.training_job_status = "Stopping"
        return EmptyResult()

    monkeypatch.setattr(SageMakerResponse, "stop_training_job", stopping, raising=False)
    return asked


def in_every_state(cloud: Cloud, plan, names) -> None:
    """Done, running with one finished trial, failed twice, never launched."""
    cloud.job(names[0], content=b"x")
    cloud.job(names[1], "InProgress")
    record = f"{PLACE.checkpoints(plan.packs[1].id)}trials/{plan.packs[1].trials[0][:2]}/"
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{record}{plan.packs[1].trials[0]}.json", Body=b"{}")
    cloud.s3.put_object(Bucket=BUCKET, Key=f"{record}{'0' * 16}.failed.json", Body=b"{}")
    for attempt in (1, 2):
        name = PLACE.job_name(plan.packs[2].id, attempt)
        cloud.job(name, "Failed", failure_reason=f"AlgorithmError: bad\nin {ACCOUNT}")


def test_in_a_pipe_the_whole_picture_is_printed_once(cloud, plan, names, capsys):
    in_every_state(cloud, plan, names)
    assert status(["away", *FLAGS]) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "away: 3 of 8 trials finished (38 %); packs: 1 done, 1 running, 1 failed, 1 not launched\n"
    )
    assert any(names[1] in line and "Training" in line and "1/2" in line for line in out.splitlines())
    second = PLACE.job_name(plan.packs[2].id, 2)
    assert f"failed: {second} (attempt 2): AlgorithmError: bad\n" in out
    assert ACCOUNT not in out
    assert "\x1b" not in out


def test_json_says_the_same_to_programs(cloud, plan, names, capsys):
    in_every_state(cloud, plan, names)
    assert status(["away", *FLAGS, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["packs"] == {"done": 1, "running": 1, "failed": 1, "not launched": 1}
    assert (found["trials"], found["finished_trials"]) == (8, 3)
    assert [one["attempts"] for one in found["jobs"]] == [1, 1, 2, 0]


def test_watching_prints_a_line_for_every_change_until_nothing_runs(cloud, plan, names, capsys, monkeypatch):
    import time

    in_every_state(cloud, plan, names)
    looks = []

    def later(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            moto_job(names[1]).training_job_status = "Completed"
            cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[1]), Body=b"x")

    monkeypatch.setattr(time, "sleep", later)
    assert status(["away", *FLAGS, "--watch", "3"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("Z  ")[2][:30] for line in lines] == [
        "away: 3 of 8 trials finished (",
        "away: 4 of 8 trials finished (",
    ]
    assert looks == [3.0, 3.0]


def test_a_study_that_is_all_done_says_what_comes_next(cloud, plan, names, capsys):
    for name in names:
        cloud.job(name, content=b"x")
    assert status(FLAGS) == 0
    out = capsys.readouterr().out
    assert "8 of 8 trials finished (100 %); packs: 4 done" in out
    assert "sagemaker-results-parser away brings it home" in out


def test_a_completed_job_without_its_archive_is_not_done(cloud, names, capsys):
    cloud.job(names[0])
    assert status(["away", *FLAGS]) == 1
    assert f"no archive: {names[0]}" in capsys.readouterr().out


def test_in_a_terminal_the_view_is_drawn_and_ends_when_nothing_runs(cloud, plan, names, tmp_path):
    import os
    import pty
    import subprocess
    import sys

    cloud.job(names[0], content=b"x")
    main, side = pty.openpty()
    words = [sys.executable, "-m", "frustration", "sagemaker-status", "away", *FLAGS]
    done = subprocess.run(words, stdout=side, stderr=side, env={**os.environ, "TERM": "xterm"}, timeout=60)
    os.close(side)
    assert done.returncode == 0
    assert b"away: 2 of 8 trials finished" in os.read(main, 100_000)
    os.close(main)


def test_stop_lists_first_and_stops_only_this_study_s_running_jobs(cloud, plan, names, stops, capsys):
    other = other_study(cloud, plan)
    theirs = other.job_name(plan.packs[0].id, 1)
    cloud.job(theirs, "InProgress")
    cloud.job(names[0], content=b"x")
    cloud.job(names[1], "InProgress")
    cloud.job(names[2], "InProgress")
    assert stop(["away", *FLAGS]) == 0
    out = capsys.readouterr().out
    assert "nothing was stopped; --yes stops them" in out
    assert not stops
    assert stop(["away", *FLAGS, "--yes", "--job", names[2]]) == 0
    assert stops == [names[2]]
    assert stop(["away", *FLAGS, "--yes"]) == 0
    assert stops == [names[2], names[1]]
    assert stop(["away", *FLAGS, "--yes"]) == 0
    assert "no job of away is running" in capsys.readouterr().out
    assert stop(["away", *FLAGS, "--yes", "--job", theirs]) == 2
    assert moto_job(theirs).training_job_status == "InProgress"


def test_a_job_that_ends_before_it_can_be_stopped_is_no_failure(cloud, names, stops, monkeypatch, capsys):
    from frustration.cloud import jobs

    cloud.job(names[0], "InProgress")
    listed = list(jobs.list_jobs(cloud.sagemaker, PLACE))
    moto_job(names[0]).training_job_status = "Completed"
    monkeypatch.setattr(jobs, "list_jobs", lambda sagemaker, place: iter(listed))
    assert stop(["away", *FLAGS, "--yes"]) == 0
    assert f"{names[0]} has ended meanwhile" in capsys.readouterr().out


def test_a_list_of_jobs_is_made_from_the_service_and_never_loses_what_it_had(cloud, plan, names, tmp_path):
    output = tmp_path / "requested-jobs.txt"
    output.write_text("psa-older\n")
    cloud.job(names[0])
    cloud.job(PLACE.job_name(plan.packs[0].id, 2), "Failed")
    cloud.job(names[1], "Failed")
    cloud.job(PLACE.job_name(plan.packs[1].id, 2), "InProgress")
    cloud.job("someone-elses-job")
    flags = ["away", *FLAGS, "--output", str(output)]
    assert reconstruct(flags) == 0
    best = sorted([names[0], PLACE.job_name(plan.packs[1].id, 2)])
    assert output.read_text().splitlines() == ["psa-older", *best]
    assert reconstruct([*flags, "--all"]) == 0
    lines = output.read_text().splitlines()
    assert lines[:3] == ["psa-older", *best]
    assert len(lines) == len(set(lines)) == 5


def test_the_original_s_jobs_are_listed_by_name_and_output(cloud, tmp_path, capsys):
    output = tmp_path / "requested-jobs.txt"
    home = f"s3://{BUCKET}/psa/"
    for name, state, where in (
        ("psa-1x2-none-2025-01-01", "Completed", home),
        ("psa-1x2-none-2025-02-01", "Failed", home),
        ("psa-1x2-full-2025-01-01", "Completed", "s3://theirs/psa"),
        ("psa-not-a-cell", "Completed", home),
    ):
        cloud.job(name, state, where)
    flags = ["--original", *FLAGS, "--prefix", "psa", "--output", str(output)]
    assert reconstruct(flags) == 0
    assert output.read_text() == "psa-1x2-none-2025-01-01\n"
    assert reconstruct([*flags, "--all"]) == 0
    assert output.read_text().splitlines() == ["psa-1x2-none-2025-01-01", "psa-1x2-none-2025-02-01"]
    assert reconstruct(["--original", *FLAGS, "--prefix", "none", "--output", str(output)]) == 1


@pytest.mark.parametrize("command", [status, stop])
def test_a_study_that_was_never_launched_is_one_sentence(command, aws, capsys):
    Cloud()
    assert command(FLAGS) == 2
    assert "no study was launched to s3://bench/frustration; sagemaker-launch" in capsys.readouterr().err


COMMANDS = [
    "status",
    "results-parser",
    "stop",
    "cost-estimator",
    "estimate-storage",
    "get-training-logs",
    "logs-parser",
    "reconstruct-jobs",
    "clean",
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_refuses_an_unknown_flag(name, capsys):
    from frustration.commands import main

    assert main([f"sagemaker-{name}", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: sagemaker-{name}")
    assert "examples:" in out
    assert main([f"sagemaker-{name}", "--nonsense"]) == 2
    err = capsys.readouterr().err
    assert "there is no flag --nonsense" in err or "the following arguments are required" in err
    assert err.count("\n") == 1
