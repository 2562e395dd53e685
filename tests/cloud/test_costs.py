"""Dollars are billable seconds x instances x a rate that somebody vouches for, and no job is forgotten."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from cloud_study import PLACE
from home_kit import ACCOUNT, FLAGS

from frustration.commands.sagemaker_cost_estimator import main

RATE = ["--price", "ml.c5.xlarge=0.2"]


def costs(capsys, *words: str) -> tuple[int, dict]:
    code = main([*words, *FLAGS, "--json"])
    out = capsys.readouterr().out
    assert ACCOUNT not in out
    return code, json.loads(out) if out else {}


def test_the_sum_is_billable_seconds_times_instances_times_rate(cloud, names, capsys):
    cloud.job(names[0], billable_time_in_seconds=3600, training_time_in_seconds=12_000)
    cloud.job(names[1], "Failed", billable_time_in_seconds=1800, training_time_in_seconds=1800)
    cloud.job(names[2], billable_time_in_seconds=900, training_time_in_seconds=900)
    from home_kit import moto_job

    moto_job(names[2]).resource_config["InstanceCount"] = 4
    code, found = costs(capsys, "away", *RATE)
    assert code == 0
    assert Decimal(found["usd"]) == Decimal("0.2") * (3600 + 1800 + 4 * 900) / 3600
    assert found["billed_instance_hours"] == 2.5
    assert found["by_status"]["Failed"] == {"jobs": 1, "usd": "0.100000"}
    assert found["jobs"][0]["job"] in (names[0], names[2])
    assert found["prices"] == [
        {"instance_type": "ml.c5.xlarge", "usd_per_hour": "0.2", "source": "given by you", "as_of": ""}
    ]


def test_the_saving_of_spot_is_told_and_not_counted_twice(cloud, names, capsys):
    cloud.job(
        names[0],
        billable_time_in_seconds=1080,
        training_time_in_seconds=3600,
        enable_managed_spot_training=True,
    )
    _, found = costs(capsys, "away", *RATE)
    assert Decimal(found["usd"]) == Decimal("0.06")
    assert Decimal(found["usd_saved_by_spot"]) == Decimal("0.14")


def test_what_is_left_of_the_plan_is_priced_and_what_runs_is_kept_apart(cloud, names, capsys):
    cloud.job(names[0], content=b"x", billable_time_in_seconds=100, training_time_in_seconds=100)
    started = datetime.now(UTC) - timedelta(hours=2)
    cloud.job(names[1], "InProgress", training_start_time=started, billable_time_in_seconds=None)
    code, found = costs(capsys, "away", *RATE)
    assert code == 0
    assert found["planned_packs"] == 2
    assert found["planned_instance_hours"] == 1.0
    assert Decimal(found["usd_planned"]) == Decimal("0.2")
    assert 0.4 <= float(found["usd_so_far_of_running_jobs"]) < 0.41
    assert found["hours_from_first_to_last"] is None


def test_every_attempt_counts_also_those_that_failed_first(cloud, plan, names, capsys):
    for attempt in (1, 2, 3):
        name = PLACE.job_name(plan.packs[0].id, attempt)
        cloud.job(name, "Failed", billable_time_in_seconds=3600, training_time_in_seconds=3600)
    _, found = costs(capsys, "away", *RATE)
    assert Decimal(found["usd"]) == Decimal("0.6")


def test_the_published_rate_needs_no_flag_and_an_unknown_one_is_an_error(cloud, names, capsys):
    cloud.job(names[0], billable_time_in_seconds=3600)
    assert main(["away", *FLAGS]) == 2
    assert "the price of ml.c5.xlarge in us-east-1 is not known; give it with" in capsys.readouterr().err
    from home_kit import moto_job

    moto_job(names[0]).resource_config["InstanceType"] = "ml.g4dn.xlarge"
    assert main(["away", *FLAGS, *RATE]) == 0
    out = capsys.readouterr().out
    assert "billed: $0.74 for 1.00 instance hours" in out
    assert "ml.g4dn.xlarge $0.7364 an hour (the rate that the cost report" in out


def test_jobs_of_a_list_that_the_service_does_not_know_are_named(cloud, names, tmp_path, capsys):
    cloud.job(names[0], billable_time_in_seconds=3600)
    listed = tmp_path / "requested-jobs.txt"
    listed.write_text(f"# what was launched\n{names[0]}\n\npsa-gone-1\n{names[0]}\n")
    code, found = costs(capsys, "--jobs", str(listed), *RATE)
    assert code == 1
    assert found["unknown_jobs"] == ["psa-gone-1"]
    assert Decimal(found["usd"]) == Decimal("0.2")
    assert main(["--jobs", str(listed), *FLAGS, *RATE]) == 1
    assert "psa-gone-1: the service knows no such job" in capsys.readouterr().out


def test_an_ended_job_without_billable_time_is_named_and_not_guessed(cloud, names, capsys):
    cloud.job(names[0], billable_time_in_seconds=None)
    assert main(["away", *FLAGS, *RATE]) == 1
    assert f"{names[0]} ended, but the service names no billable time" in capsys.readouterr().out


def test_a_job_that_failed_before_it_started_costs_nothing(cloud, names, capsys):
    cloud.job(names[0], "Failed", billable_time_in_seconds=None, training_start_time=None)
    code, found = costs(capsys, "away", *RATE)
    assert (code, found["usd"], found["jobs_without_billable_time"]) == (0, "0.000000", [])


def test_no_job_at_all_costs_nothing_and_is_no_failure(cloud, capsys):
    code, found = costs(capsys, *RATE)
    assert code == 0
    assert found["usd"] == "0.000000"
    assert found["planned_packs"] == 4


def test_the_report_is_written_as_it_is_printed(cloud, names, tmp_path, capsys):
    cloud.job(names[0], billable_time_in_seconds=3600)
    path = tmp_path / "costs.json"
    _, found = costs(capsys, "away", *RATE, "--output", str(path))
    assert json.loads(path.read_text()) == found


def test_before_a_launch_the_cost_comes_from_a_calibration_and_aws_is_not_asked(
    only_loopback, tmp_path, capsys
):
    file = tmp_path / "small.toml"
    file.write_text('architectures = ["[1*2]"]\nmodes = ["none"]\ntrials = 2\nmeta_loops = 3\n')
    words = [str(file), "--before", "--region", "us-east-1", "--instance-type", "ml.c5.xlarge", "--json"]
    assert main([*words, "--price", "ml.c5.xlarge=3600"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == 2
    assert found["jobs"] == 1
    assert found["instance_hours"] >= 0
    assert main(words) == 2
    assert "is not known" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words,sentence",
    [
        (["--before"], "--before needs a study"),
        (["--jobs", "x", "away"], "--jobs takes no study"),
        (["--jobs", "/nowhere/list"], "cannot read the list of jobs"),
        (["awayy"], "did you mean away?"),
        (["away", "--price", "c5=1"], "--price takes TYPE=USD_PER_HOUR"),
        (["away", "--prices", "/nowhere.json"], "cannot read the prices"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(words, sentence, cloud, names, capsys):
    cloud.job(names[0], billable_time_in_seconds=1)
    assert main([*words, *FLAGS]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert err.count("\n") == 1
