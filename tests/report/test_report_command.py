"""`report` in the terminal: one sentence for what cannot be used, and the rest is reported all the same."""

import subprocess
import sys
import time

import pytest
from report_kit import made, specs_of, study
from test_report_published import trials_file

from frustration.commands.report import main
from frustration.report import report_line, write_report


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with results/made-up in it, as the current one."""
    made(tmp_path / "results" / "made-up", hidden=-2.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / "made-up"


def test_a_report_is_written_beside_the_records_and_its_page_is_named(place, capsys):
    assert main(["made-up"]) == 0
    assert capsys.readouterr().out == "report: results/made-up/report/report.html\n"
    there = {path.name for path in (place / "report").iterdir()}
    assert {"report.html", "report.md", "trials.csv", "curves.csv", "figures", "latex"} <= there
    assert {"psa_simplemlp_summary.md", "psa_simplemlp_trials.md"} <= there
    assert list((place / "report" / "figures").glob("*.png"))
    assert not list(place.rglob("*.partial"))


def test_print_shows_the_main_table_and_writes_nothing(place, capsys):
    assert main(["made-up", "--print"]) == 0
    out = capsys.readouterr().out
    assert "hidden lowers test accuracy" in out
    assert "LKG test % (std)" in out
    assert "worse" in out
    assert not (place / "report").exists()


def test_another_folder_can_be_named(place, tmp_path, capsys):
    assert main([str(place), "--output", str(tmp_path / "elsewhere"), "--no-figures"]) == 0
    assert (tmp_path / "elsewhere" / "report.md").exists()
    assert not (place / "report").exists()


def test_a_trials_file_gets_the_same_report(place, tmp_path, capsys):
    (tmp_path / "psa_simplemlp_trials.md").write_text(trials_file())
    assert main(["--from-trials", "psa_simplemlp_trials.md", "--no-figures"]) == 0
    folder = tmp_path / "results" / "psa_simplemlp_trials" / "report"
    assert "1*64" in (folder / "psa_simplemlp_summary.md").read_text()
    assert not (folder / "curves.csv").exists()


def test_two_studies_are_compared_in_the_terminal_and_on_request_in_a_file(place, tmp_path, capsys):
    made(tmp_path / "results" / "other")
    assert main(["compare", "made-up", "other", "--output", "both"]) == 0
    out = capsys.readouterr().out
    assert "different: hidden" in out
    assert "different: hidden" in (tmp_path / "both" / "compare.md").read_text()
    assert r"\toprule" in (tmp_path / "both" / "compare.tex").read_text()


BAD = {
    "unknown study": (["nope"], 2, 'there is no study "nope" in results; there are made-up'),
    "nothing named": ([], 2, "name a study"),
    "both": (["made-up", "--from-trials", "x.md"], 2, "name a study"),
    "no such file": (["--from-trials", "x.md"], 2, "cannot read x.md"),
    "bad margin": (["made-up", "--margin", "-1"], 2, "--margin"),
    "compare one": (["compare", "made-up"], 2, "frustration report compare"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_used_is_one_sentence_with_exit_code_2(place, capsys, what):
    arguments, code, said = BAD[what]
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_an_empty_study_is_one_sentence(place, capsys):
    for spec in specs_of(study()):
        next((place / "trials" / spec.id[:2]).glob(f"{spec.id}.json")).unlink()
    assert main(["made-up", "--print"]) == 2
    assert (
        "has no finished trial to report; `frustration study run made-up` runs its trials"
        in capsys.readouterr().err
    )


def test_a_half_written_and_a_newer_record_are_one_sentence_each_and_the_rest_is_reported(place, capsys):
    first, second = specs_of(study())[:2]
    torn = place / "trials" / first.id[:2] / f"{first.id}.json"
    torn.write_text(torn.read_text()[:100])
    newer = place / "trials" / second.id[:2] / f"{second.id}.json"
    newer.write_text(newer.read_text().replace('"record_schema": 1', '"record_schema": 2'))
    assert main(["made-up", "--print"]) == 0
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 2
    assert any(str(torn.relative_to(place.parent.parent)) in line and "not JSON" in line for line in lines)
    assert any("a newer version of frustration-engine is needed" in line for line in lines)
    assert "14 of 16 trials are finished" in captured.out


def test_help_comes_before_anything_heavy_is_imported():
    program = (
        "import sys; from frustration.commands.report import main; main(['--help'])\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "frustration report compare A B" in done.stdout


def test_the_line_at_the_end_of_a_run_writes_only_what_is_not_there_yet(place):
    page = write_report(place)
    before = page.stat().st_mtime_ns
    assert report_line(place) == f"report: {page}"
    assert page.stat().st_mtime_ns == before
    spec = specs_of(study())[0]
    path = place / "trials" / spec.id[:2] / f"{spec.id}.json"
    time.sleep(0.02)
    content = path.read_text()
    path.unlink()
    path.write_text(content)
    assert report_line(place) == f"report: {page}"
    assert page.stat().st_mtime_ns > before


def test_the_line_at_the_end_of_a_run_without_a_record_says_why_there_is_no_report(tmp_path):
    from frustration.study.store import Store

    store = Store(tmp_path / "s")
    store.create(study())
    assert report_line(store.root).startswith('no report: the study "made-up" has no finished trial')
