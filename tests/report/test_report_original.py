"""Users' scripts read these files with expressions of their own: not a byte may move."""

import re

from report_kit import ONE, TWO, made, specs_of, study
from synthetic import rising_to

from frustration.original.tables import CONVERGENCE, GROWTH, SUMMARY, TRIALS, original_files
from frustration.report.reading import read_study

GOLDEN_SUMMARY = """\
Results Shape {1*32} Parameters {25450}
* None: Mean=98.28% | Std=0.10% | Min=98.18% | Max=98.38% (n=2)
* Decay: Mean=90.25% | Std=0.25% | Min=90.00% | Max=90.50% (n=2)
* hidden:dose=2: Mean=34.56% | Std=22.22% | Min=12.34% | Max=56.78% (n=2)

"""
BOUNTIES = {"none": (98.18, 98.38), "decay": (90.0, 90.5), "hidden:dose=2": (12.34, 56.78)}
GOLDEN_TRIALS = """\
### Architecture: 1*32

| Trial | None | Decay | Dropout | Full | Hidden | Output | hidden:dose=2 |
|:-----:|:-----:|:-----:|:-----:|:-----:|:-----:|:-----:|:-----:|
| 1 | 98.18% | 90.00% | N/A | N/A | N/A | N/A | 12.34% |
| 2 | 98.38% | 90.50% | N/A | N/A | N/A | N/A | 56.78% |
"""
GOLDEN_HEAD = """\
# PSA SimpleMLP Trials - Convergence Analysis

This table shows the validation accuracy per meta-loop for each architecture and ablation mode.

| Architecture | Mode | Meta-Loop 1 | Meta-Loop 2 | Meta-Loop 3 | Final Test |
|-------------|------|---|---|---|------------|
"""


def files(tmp_path, name="s"):
    grid = study("none", "decay", "hidden:dose=2", trials=2, meta_loops=3)
    store = made(tmp_path / name, grid)
    for spec in specs_of(grid):
        rising_to(store, spec, bounty=BOUNTIES[spec.label][spec.trial])
    return original_files(read_study(store.root))


def test_the_summary_is_the_original_s_to_the_byte(tmp_path):
    assert files(tmp_path)[SUMMARY] == GOLDEN_SUMMARY


def test_the_trials_are_the_original_s_to_the_byte_with_a_separator_for_each_column(tmp_path):
    assert files(tmp_path)[TRIALS] == GOLDEN_TRIALS


def test_equal_records_give_equal_bytes(tmp_path):
    assert files(tmp_path) == files(tmp_path, "again")


def test_the_convergence_table_has_a_column_for_each_loop_and_the_test_accuracy(tmp_path):
    text = files(tmp_path)[CONVERGENCE]
    assert text.startswith(GOLDEN_HEAD)
    rows = [line.split(" | ") for line in text.splitlines()[6:]]
    assert [row[:2] for row in rows] == [["| 1x32", "decay"], ["| 1x32", "hidden:dose=2"], ["| 1x32", "none"]]
    assert all(re.fullmatch(r"\d+\.\d\d", value) for row in rows for value in row[2:5])


def test_lkg_growth_starts_at_nothing_and_never_shrinks(tmp_path):
    rows = [line.split(" | ")[2:5] for line in files(tmp_path)[GROWTH].splitlines()[7:]]
    assert len(rows) == 3
    assert all(row[0] == "0.00" and min(map(float, row)) >= 0 for row in rows)


SUMMARY_BLOCK = re.compile(r"Results Shape \{([\d\*]+)\} Parameters \{[\d,]+\}\n(.*?)\n\n", re.DOTALL)
SUMMARY_LINE = re.compile(
    r"\* (None|Decay|Dropout|Full|Hidden|Output): Mean=([\d\.]+)% \| Std=([\d\.]+)% \| "
    r"Min=([\d\.]+)% \| Max=([\d\.]+)% \(n=\d+\)"
)
TRIAL_BLOCK = re.compile(r"### Architecture: ([\d\*]+)\n\n(.*?)(?=\n### Architecture:|$)", re.DOTALL)
"""As scripts around the original look for these things."""


def test_expressions_that_scripts_use_find_every_block_the_last_included(tmp_path):
    grid = study("none", "full", architectures=(ONE, TWO), trials=2, meta_loops=2)
    text = original_files(read_study(made(tmp_path / "s", grid).root))
    found = {m[1]: SUMMARY_LINE.findall(m[2]) for m in SUMMARY_BLOCK.finditer(text[SUMMARY])}
    assert found.keys() == {"1*32", "2*16"}
    assert all([line[0] for line in lines] == ["None", "Full"] for lines in found.values())
    assert [m[1] for m in TRIAL_BLOCK.finditer(text[TRIALS])] == ["1*32", "2*16"]


def test_each_setting_of_a_study_gets_files_of_its_own(tmp_path):
    grid = study("none", trials=2, meta_loops=2, learning_rates=(1e-4, 1e-3))
    names = original_files(read_study(made(tmp_path / "s", grid).root)).keys()
    assert {f"mnist-lr0.0001/{SUMMARY}", f"mnist-lr0.001/{SUMMARY}"} <= names
