"""Logs come complete, continue after a kill, and give curves in which each loop counts once."""

import csv
import json
import re

import pytest
from home_kit import ACCOUNT, FLAGS, files_in

from frustration.commands.sagemaker_get_training_logs import main as get
from frustration.commands.sagemaker_logs_parser import main as parse

GROUP = "/aws/sagemaker/TrainingJobs"


def fetched(tmp_path, *words: str) -> int:
    return get(["away", *FLAGS, "--results", str(tmp_path), *words])


def logs_of(tmp_path, job: str) -> list[list[str]]:
    """The messages of each stream."""
    folder = tmp_path / "away" / "logs" / job
    return [
        [line.partition(" ")[2] for line in path.read_text().splitlines()]
        for path in sorted(folder.glob("*.log"))
    ]


def test_every_event_of_every_stream_is_had_with_its_time_in_utc(cloud, names, tmp_path, capsys):
    many = [f"line {number}" for number in range(12_345)]
    cloud.job(names[0])
    cloud.stream(names[0], many, 1)
    cloud.stream(names[0], ["after the interruption", ""], 2)
    cloud.job(names[1], "Failed")
    cloud.stream(names[1], ["only this"])
    assert fetched(tmp_path) == 0
    assert logs_of(tmp_path, names[0]) == [many, ["after the interruption", " "]]
    assert logs_of(tmp_path, names[1]) == [["only this"]]
    assert "2 jobs, 3 streams, 12,348 events (12,348 new)" in capsys.readouterr().out
    first = (tmp_path / "away" / "logs" / names[1]).glob("*.log").__next__().read_text()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z only this\n", first)


def test_an_empty_page_in_mid_stream_is_not_the_end(cloud, names, tmp_path, monkeypatch):
    import botocore.client

    cloud.job(names[0])
    cloud.stream(names[0], [f"line {number}" for number in range(6)])
    whole = botocore.client.BaseClient._make_api_call
    asked = []

    def pages_with_holes(self, operation, arguments):
        """Two events a page, and an empty one before each; the token counts pages."""
        if operation != "GetLogEvents":
            return whole(self, operation, arguments)
        page = int(arguments.get("nextToken", "0"))
        asked.append(page)
        events = whole(self, operation, {k: v for k, v in arguments.items() if k != "nextToken"})["events"]
        found = events[page - 1 : page + 1] if page % 2 else []
        return {"events": found, "nextForwardToken": str(min(page + 1, 8)), "nextBackwardToken": "b"}

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", pages_with_holes)
    assert fetched(tmp_path) == 0
    assert logs_of(tmp_path, names[0]) == [[f"line {number}" for number in range(6)]]
    assert asked == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_a_second_time_only_what_is_new_is_fetched(cloud, names, tmp_path, capsys):
    cloud.job(names[0], "InProgress")
    cloud.stream(names[0], ["one", "two"])
    assert fetched(tmp_path) == 0
    assert "1 jobs are still running" in capsys.readouterr().out
    stream = cloud.logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
    last = stream["lastEventTimestamp"]
    more = [{"timestamp": last, "message": "same moment"}, {"timestamp": last + 5, "message": "later"}]
    cloud.logs.put_log_events(logGroupName=GROUP, logStreamName=stream["logStreamName"], logEvents=more)
    assert fetched(tmp_path) == 0
    assert "4 events (2 new)" in capsys.readouterr().out
    assert logs_of(tmp_path, names[0]) == [["one", "two", "same moment", "later"]]


def test_what_a_kill_left_half_written_is_written_anew(cloud, names, tmp_path):
    cloud.job(names[0])
    cloud.stream(names[0], ["one", "two", "three"])
    assert fetched(tmp_path) == 0
    (path,) = (tmp_path / "away" / "logs" / names[0]).glob("*.log")
    whole = path.read_bytes()
    first, second, _ = whole.splitlines(keepends=True)
    for torn in (b"", first[:9], first, first + second[:7], whole[:-1], b"no time\n"):
        path.write_bytes(torn)
        assert fetched(tmp_path) == 0
        assert path.read_bytes() == whole
    assert files_in(path.parent) == {path.name}


def test_a_job_without_a_log_is_named_and_the_others_come(cloud, names, tmp_path, capsys):
    cloud.job(names[0])
    cloud.job(names[1])
    cloud.stream(names[1], ["here"])
    assert fetched(tmp_path) == 1
    assert f"{names[0]}: it has no log" in capsys.readouterr().out
    assert logs_of(tmp_path, names[1]) == [["here"]]


def test_no_account_id_reaches_the_files_and_numbers_stay_as_they_are(cloud, names, tmp_path):
    cloud.job(names[0])
    cloud.stream(names[0], [f"arn:aws:iam::{ACCOUNT}:role/x", '{"accuracy": 97.123456789012}', "a\nb"])
    assert fetched(tmp_path) == 0
    assert logs_of(tmp_path, names[0]) == [
        ["arn:aws:iam::************:role/x", '{"accuracy": 97.123456789012}', "a\\nb"]
    ]


def test_jobs_can_be_named_in_a_list(cloud, names, tmp_path, capsys):
    cloud.job("psa-1x2-none-2025-01-01")
    cloud.stream("psa-1x2-none-2025-01-01", ["old"])
    listed = tmp_path / "requested-jobs.txt"
    listed.write_text("psa-1x2-none-2025-01-01\npsa-never\n")
    assert get(["--jobs", str(listed), *FLAGS, "--output", str(tmp_path / "logs")]) == 1
    assert "psa-never: it has no log" in capsys.readouterr().out
    assert any(name.endswith(".log") for name in files_in(tmp_path / "logs" / "psa-1x2-none-2025-01-01"))


def loop(trial: int, number: int, accuracy: float | None, **changed) -> str:
    about = {"id": f"{trial:016x}", "arch": "[1*2]", "mode": "hidden", "trial": trial, "target": 5}
    entry = {"loop": number, "accuracy": accuracy, "loss": 0.5, "accepted": True}
    best = {"lkg_accuracy": accuracy, "lkg_loop": number if accuracy is not None else None}
    return json.dumps({"type": "loop", **about, **entry, **best, **changed})


def ended(trial: int) -> str:
    about = {"id": f"{trial:016x}", "arch": "[1*2]", "mode": "hidden", "trial": trial, "target": 5}
    return json.dumps({"type": "trial", **about, "bounty": 30.0, "test_accuracy": 29.5})


def table(capsys, tmp_path, *words: str) -> list[dict]:
    assert parse(["away", "--results", str(tmp_path), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_dead_job_s_curve_is_in_its_logs_and_restarts_count_no_loop_twice(cloud, names, tmp_path, capsys):
    cloud.job(names[0], "Failed")
    cloud.stream(
        names[0], ["Starting", loop(0, 1, 10.0), loop(1, 1, 50.0), loop(0, 2, 30.0), loop(0, 3, 20.0)], 1
    )
    cloud.stream(names[0], [loop(0, 3, 20.0), loop(0, 4, None), "Traceback ..."], 2)
    assert fetched(tmp_path) == 0
    capsys.readouterr()
    first, second = table(capsys, tmp_path)
    assert (first["trial"], first["state"], first["loops"], first["target"]) == (0, "cut off", 4, 5)
    assert (first["bounty"], first["bounty_loop"], first["loops_missing"]) == (30.0, 2, 0)
    assert (second["trial"], second["bounty"]) == (1, 50.0)
    rows = list(csv.DictReader((tmp_path / "away" / "logs" / "curves.csv").open()))
    assert [(row["trial"], row["loop"], row["accuracy"]) for row in rows] == [
        ("0", "1", "10.0"),
        ("0", "2", "30.0"),
        ("0", "3", "20.0"),
        ("0", "4", ""),
        ("1", "1", "50.0"),
    ]
    assert {row["architecture"] for row in rows} == {"[1*2]"}


def test_ended_failed_and_missing_loops_are_told_apart(cloud, names, tmp_path, capsys):
    cloud.job(names[0])
    failed = json.dumps({**json.loads(ended(2)), "type": "failed", "traceback": "T\nOSError: disk"})
    cloud.stream(names[0], [loop(0, 1, 30.0), ended(0), loop(1, 4, 9.0), loop(2, 1, 8.0), failed])
    assert fetched(tmp_path) == 0
    capsys.readouterr()
    rows = table(capsys, tmp_path)
    assert [(row["state"], row["loops_missing"], row["test_accuracy"]) for row in rows] == [
        ("ended", 0, 29.5),
        ("cut off", 3, None),
        ("failed", 0, None),
    ]
    assert rows[2]["failure"] == "OSError: disk"
    assert len(table(capsys, tmp_path, "--unfinished")) == 2


def test_starts_that_contradict_each_other_are_named(cloud, names, tmp_path, capsys):
    cloud.job(names[0])
    cloud.stream(names[0], [loop(0, 1, 10.0)], 1)
    cloud.stream(names[0], [loop(0, 1, 11.0)], 2)
    assert fetched(tmp_path) == 0
    assert parse(["away", "--results", str(tmp_path)]) == 0
    assert "its starts tell loop 1 differently" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        '{"type": "loop"',
        '{"type": "loop", "id": 1}',
        loop(0, 1, 1.0, loss="x"),
        loop(0, 1, 1.0, target="x"),
    ],
)
def test_a_line_that_is_damaged_is_counted_and_skipped(line, cloud, names, tmp_path, capsys):
    cloud.job(names[0])
    cloud.stream(names[0], [line, loop(1, 1, 5.0)])
    assert fetched(tmp_path) == 0
    assert parse(["away", "--results", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "1 lines begin like results and cannot be read" in captured.err
    assert "1 trials in the logs of 1 jobs: 1 cut off" in captured.out


@pytest.mark.parametrize(
    "words,sentence",
    [
        ([], "give a study, or a folder of logs"),
        (["away", "--logs", "x"], "give a study, or a folder of logs"),
        (["away"], "sagemaker-get-training-logs makes it"),
    ],
)
def test_where_there_are_no_logs_one_sentence_says_how_to_get_them(words, sentence, tmp_path, capsys):
    assert parse([*words, "--results", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
