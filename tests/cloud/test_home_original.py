"""Jobs of the original project's layout: either file of results, and no good one hidden by a rerun."""

import json

import pytest
from home_kit import BUCKET, FLAGS, Cloud, archive, files_in

from frustration.commands.sagemaker_results_parser import main
from frustration.original.cloud_layout import parse

OUTPUT = f"s3://{BUCKET}/psa"
MODES = ("none", "decay", "dropout", "full", "hidden", "output")
TIME = "2025-08-10-12-34-56-789"
LATER = "2025-08-11-01-02-03-004"


@pytest.fixture
def cloud(aws) -> Cloud:
    return Cloud()


def lines(*accuracies: float) -> bytes:
    return archive({"results.txt": "".join(f"{one}\n" for one in accuracies).encode()})


def full(*accuracies: float, **changed) -> bytes:
    trials = [
        {
            "best_validation_accuracy": one,
            "best_validation_epoch": 7,
            "final_test_accuracy": one - 0.5,
            "bounty": one,
            **changed,
        }
        for one in accuracies
    ]
    return archive({"./comprehensive_results.json": json.dumps(trials).encode()})


def job(cloud: Cloud, cell: str, content: bytes | None, time: str = TIME, **facts) -> str:
    name = f"psa-{cell}-{time}"
    cloud.job(name, output=OUTPUT, content=content, **facts)
    return name


def read(tmp_path, *words: str) -> int:
    return main(["--original", *FLAGS, "--prefix", "psa", "--results", str(tmp_path), *words])


def test_both_files_are_read_and_the_tables_have_the_original_s_form(cloud, tmp_path, capsys):
    for mode, content in zip(MODES, [lines(98.25, 98.2), full(98.5, 98.1)] * 3, strict=True):
        job(cloud, f"1x2048-{mode}", content)
    job(cloud, "2x8-none", lines(90, 91.256))
    job(cloud, "4x4-2x8-hidden", full(50.0, 60.0))
    assert read(tmp_path) == 0
    assert "8 of 8 cells" in capsys.readouterr().out
    assert (tmp_path / "psa_simplemlp_summary.md").read_text().split("\n\n")[0].splitlines() == [
        "Results Shape {1*2048} Parameters {1628170}",
        "* None: Mean=98.22% | Std=0.02% | Min=98.20% | Max=98.25% (n=2)",
        "* Decay: Mean=98.30% | Std=0.20% | Min=98.10% | Max=98.50% (n=2)",
        "* Dropout: Mean=98.22% | Std=0.02% | Min=98.20% | Max=98.25% (n=2)",
        "* Full: Mean=98.30% | Std=0.20% | Min=98.10% | Max=98.50% (n=2)",
        "* Hidden: Mean=98.22% | Std=0.02% | Min=98.20% | Max=98.25% (n=2)",
        "* Output: Mean=98.30% | Std=0.20% | Min=98.10% | Max=98.50% (n=2)",
    ]
    tables = (tmp_path / "psa_simplemlp_trials.md").read_text()
    assert tables.startswith(
        "### Architecture: 1*2048\n\n| Trial | None | Decay | Dropout | Full | Hidden | Output |\n|"
    )
    assert "| 2 | 91.26% | N/A | N/A | N/A | N/A | N/A |" in tables
    assert "### Architecture: 4*4, 2*8\n" in tables
    rows = [row for row in tables.splitlines() if row.startswith("|")]
    assert {row.count("|") for row in rows} == {8}
    kept = json.loads((tmp_path / "psa_simplemlp/original/1x2048.decay.json").read_text())
    assert kept["trials"][0] == {"bounty": 98.5, "bounty_loop": 7, "test_accuracy": 98.0}


def test_no_argument_finds_the_original_s_jobs_where_there_is_no_study(cloud, tmp_path):
    job(cloud, "1x2-none", lines(20.0))
    assert main([*FLAGS, "--prefix", "psa", "--results", str(tmp_path)]) == 0
    assert (tmp_path / "psa_simplemlp_trials.md").exists()


@pytest.mark.parametrize(
    "later",
    [None, b"torn", lines(), lines(10.0), lines("Completed", "Failed")],
    ids=["nothing", "torn", "empty", "one trial", "states"],
)
def test_a_later_rerun_hides_no_good_result(later, cloud, tmp_path):
    job(cloud, "1x2-none", lines(20.0, 21.0))
    job(cloud, "1x2-none", later, LATER, status="Failed")
    assert read(tmp_path) == 0
    assert "| 2 | 21.00% |" in (tmp_path / "psa_simplemlp_trials.md").read_text()


def test_of_two_whole_runs_the_later_one_is_taken(cloud, tmp_path):
    job(cloud, "1x2-none", lines(20.0, 21.0))
    job(cloud, "1x2-none", lines(30.0, 31.0), LATER)
    assert read(tmp_path) == 0
    assert "| 2 | 31.00% |" in (tmp_path / "psa_simplemlp_trials.md").read_text()


@pytest.mark.parametrize(
    "content,state,reason",
    [
        (lines("InProgress"), "damaged", "results.txt, line 1: 'InProgress' is not an accuracy"),
        (full(-1.0), "damaged", "-1.0 is not an accuracy in percent"),
        (archive({"other.txt": b""}), "damaged", "neither of the two files"),
        (archive({"results.txt": b"\xff"}), "damaged", "not text in UTF-8"),
        (archive({"comprehensive_results.json": b"[" * 100_000}), "damaged", "comprehensive_results.json"),
        (b"<html>", "damaged", "its archive is not taken"),
    ],
    ids=["a state", "a crash", "nothing", "no text", "nested", "no archive"],
)
def test_what_cannot_be_believed_is_named_and_never_counted(content, state, reason, cloud, tmp_path, capsys):
    job(cloud, "1x2-none", lines(20.0))
    name = job(cloud, "1x4-none", content)
    assert read(tmp_path) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if name in line and state in line)
    assert line.startswith(f"  {state}: [1*4] none [{name}]:")
    assert reason in line
    assert "1*4" not in (tmp_path / "psa_simplemlp_trials.md").read_text()


def test_a_full_file_that_cannot_be_read_leaves_the_plain_one(cloud, tmp_path):
    job(cloud, "1x2-none", archive({"comprehensive_results.json": b"{", "results.txt": b"20.5\n"}))
    assert read(tmp_path) == 0
    assert "| 1 | 20.50% |" in (tmp_path / "psa_simplemlp_trials.md").read_text()


def test_running_failed_empty_and_incomplete_cells_are_named_with_the_reason(cloud, tmp_path, capsys):
    job(cloud, "1x2-none", lines(20.0, 21.0))
    job(cloud, "1x2-full", lines(20.0))
    job(cloud, "1x2-decay", None, status="InProgress")
    job(cloud, "1x2-hidden", None, status="Failed", failure_reason="ClientError: no image of 123456789012")
    job(cloud, "1x2-output", None)
    assert read(tmp_path) == 1
    out = capsys.readouterr().out
    assert "incomplete: [1*2] full" in out
    assert "it has 1 of 2 trials" in out
    assert "running: [1*2] decay" in out
    assert "failed: [1*2] hidden" in out
    assert "no image of ************" in out
    assert "no archive: [1*2] output" in out
    assert read(tmp_path, "--trials", "3") == 1
    assert "it has 2 of 3 trials" in capsys.readouterr().out


def test_jobs_of_others_in_the_same_account_are_not_ours(cloud, tmp_path, capsys):
    job(cloud, "1x2-none", lines(20.0))
    cloud.job(f"psa-1x4-none-{TIME}", "Failed", output="s3://theirs/psa")
    cloud.job(f"psa-1x8-none-{TIME}", "Failed", output=f"s3://{BUCKET}/psa-two")
    assert read(tmp_path) == 0
    assert "1 of 1 cells" in capsys.readouterr().out


def test_profiler_output_beside_an_archive_does_no_harm(cloud, tmp_path):
    name = job(cloud, "1x2-none", lines(20.0))
    for number in range(20):
        cloud.s3.put_object(Bucket=BUCKET, Key=f"psa/{name}/profiler-output/{number}.json", Body=b"")
    assert read(tmp_path) == 0
    assert files_in(tmp_path) == {
        "psa_simplemlp/original/1x2.none.json",
        "psa_simplemlp_summary.md",
        "psa_simplemlp_trials.md",
    }


def test_an_empty_prefix_is_one_sentence(cloud, tmp_path, capsys):
    assert read(tmp_path) == 1
    assert "holds neither a study nor jobs named psa-ARCH-MODE-TIME" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name,architecture",
    [
        (f"psa-1x2048-none-{TIME}", "[1*2048]"),
        (f"psa-115-115-hidden-{TIME}", "[115*115]"),
        (f"psa-4x4-2x8-output-{TIME}", "[4*4, 2*8]"),
        (f"psa-1x2048-noise-{TIME}", None),
        (f"psa-0x2048-none-{TIME}", None),
        ("psa-1x2048-none", None),
        ("other-1x2048-none-2025", None),
    ],
)
def test_the_cell_is_read_from_the_job_s_name(name, architecture):
    found = parse(name)
    assert (str(found.architecture) if found else None) == architecture
