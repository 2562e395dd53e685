"""Everything that a report writes: tables that compile, CSV that reads back, and Markdown that holds them."""

import csv
import io
import shutil
import subprocess

import numpy as np
import pytest
from report_kit import ONE, TWO, analysed, made, read, study

from frustration.report.analysis import analyse
from frustration.report.exports import curves_csv, trials_csv
from frustration.report.latex import architecture_table, latex_files
from frustration.report.markdown import report_markdown
from frustration.report.reading import read_study
from frustration.report.report import Report
from frustration.report.tables import all_tables
from frustration.report.writing import write_text
from frustration.sinks import latex


def grid():
    return study("none", "hidden", "decay", "hidden:dose=2/patience-3", architectures=(ONE, TWO))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_table_compiles_under_pdflatex(tmp_path):
    shapes = [ONE.of_widths([width]) for width in range(20, 36)]  # 48 rows: a table that breaks over pages
    results = read(tmp_path / "s", study("none", "hidden", "decay", architectures=shapes), hidden=-1.0)
    for name, content in latex_files(Report(results, analyse(results))).items():
        (tmp_path / name).write_text(content)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").stat().st_size > 10_000


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_any_text_can_be_set(tmp_path):
    hostile = latex('\\input{x} 100 % & a_b #1 ~ ^ $x$ {y} < > | * [z] – ∞ ± é 漢 "q"')
    document = rf"\documentclass{{article}}\begin{{document}}{hostile}\end{{document}}"
    (tmp_path / "t.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_tables_use_booktabs_and_no_vertical_rules(tmp_path):
    results = read(tmp_path / "s", grid())
    for name, content in latex_files(Report(results, analyse(results))).items():
        if name != "report.tex":
            assert all(rule in content for rule in (r"\toprule", r"\midrule", r"\bottomrule")), name
            assert r"\hline" not in content


def test_the_architecture_table_counts_parameters_and_names_mirror_images():
    text = architecture_table([ONE.parse("[1*2048]"), ONE.parse("[939*2]"), ONE.parse("[115*115]")])
    assert r"1{*}2048 & 1,628,170 & Matched \\" in text
    assert r"115{*}115 & 1,612,195 & Matched \\" in text
    assert "Asymmetric" in next(line for line in text.splitlines() if line.startswith("939{*}2"))


def test_all_trials_are_in_the_csv_with_the_numbers_of_their_records(tmp_path):
    store = made(tmp_path / "s", grid())
    rows = list(csv.DictReader(io.StringIO(trials_csv(read_study(store.root)))))
    records = {record.spec.id: record for record in store.records()}
    assert {row["id"] for row in rows} == records.keys()
    for row in rows:
        record = records[row["id"]]
        assert float(row["test_accuracy"]) == record.test_accuracy
        assert float(row["bounty"]) == record.bounty
        assert row["treatment"] == record.spec.label
        assert int(row["accepted"]) == sum(entry.accepted for entry in record.curve)
        assert row["inert"] == "+".join(record.inert)


def test_all_loops_are_in_the_csv_with_the_numbers_of_their_records(tmp_path):
    store = made(tmp_path / "s", grid())
    rows = list(csv.DictReader(io.StringIO("".join(curves_csv(read_study(store.root))))))
    entries = {(one.spec.id, str(e.loop)): e for one in store.records() for e in one.curve}
    assert {(row["id"], row["loop"]) for row in rows} == entries.keys()
    assert len(rows) == len(entries)
    for row in rows:
        entry = entries[row["id"], row["loop"]]
        assert float(row["accuracy"]) == entry.accuracy
        assert row["before"] == ("" if entry.before is None else str(entry.before).removesuffix(".0"))
        assert row["accepted"] == str(int(entry.accepted))


def test_the_markdown_has_every_table_and_every_row_of_it(tmp_path):
    results = read(tmp_path / "s", grid())
    analysis = analyse(results)
    text = report_markdown(Report(results, analysis))
    for table in all_tables(analysis):
        section = text.split(f"## {table.title}\n")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("|")]
        assert len(rows) == len(table.rows) + 2
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_every_table_has_as_many_cells_as_headers(tmp_path):
    for table in all_tables(analysed(tmp_path / "s", grid())):
        assert {len(row) for row in table.rows} == {len(table.headers)}
        assert max(table.left) < len(table.headers)


def test_a_report_written_twice_is_the_same_to_the_byte(tmp_path):
    results = read(tmp_path / "s", grid())
    for name in ("a", "b"):
        write_text(Report(results, analyse(results)), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 15
    assert all((tmp_path / "a" / one).read_bytes() == (tmp_path / "b" / one).read_bytes() for one in files)


def test_no_smallest_p_is_left_out_of_the_table_of_tests(tmp_path):
    analysis = analysed(tmp_path / "s", grid())
    table = next(table for table in all_tables(analysis) if table.name == "comparisons")
    column = table.headers.index("smallest p")
    assert [row[column] for row in table.rows if row[1] != "decay"] == ["0.0078"] * 4
    assert np.all([row[column] == "1.00" for row in table.rows if row[1] == "decay"])
