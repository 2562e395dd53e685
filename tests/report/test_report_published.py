"""Trials files of the original project are read as they are, malformed separator and all."""

import pytest
from report_kit import made, study

from frustration.errors import InputError
from frustration.original.published import read_trials_file
from frustration.original.tables import TRIALS, original_files, summary
from frustration.report.analysis import analyse
from frustration.report.cautions import costs
from frustration.report.reading import read_study
from frustration.report.tables_of_tests import comparisons_table

PUBLISHED = {
    "1*64": ("96.74 0.12", "96.78 0.16", "96.98 0.14", "95.46 0.14", "95.81 0.23", "94.65 0.29"),
    "1*32": ("95.49 0.20", "95.47 0.21", "95.61 0.20", "93.04 0.32", "93.80 0.41", "93.00 0.49"),
    "1*2048": ("98.25 0.06", "98.21 0.04", "98.20 0.05", "98.11 0.07", "98.19 0.06", "97.89 0.12"),
    "18*18": ("10.48 0.51", "10.22 0.74", "10.18 0.39", "11.20 2.74", "10.11 0.47", "18.87 17.87"),
}
"""Mean and standard deviation (ddof 0) of none, decay, dropout, full, hidden and output, n = 10."""
MODES = ("None", "Decay", "Dropout", "Full", "Hidden", "Output")
MALFORMED = "|:-----::----:|:----:|:----:|:----:|:----:|:----:|"


def trials_file(rows=PUBLISHED, separator=MALFORMED) -> str:
    """Five trials a standard deviation below each mean, and five above."""
    text = ""
    for architecture, cells in rows.items():
        text += f"### Architecture: {architecture}\n\n| Trial | {' | '.join(MODES)} |\n{separator}\n"
        for trial in range(10):
            signs = -1 if trial % 2 else 1
            values = [float(mean) + signs * float(std) for mean, std in map(str.split, cells)]
            text += f"| {trial + 1} | {' | '.join(f'{value:.2f}%' for value in values)} |\n"
        text += "\n"
    return text


def published(tmp_path, text=None):
    path = tmp_path / "psa_simplemlp_trials.md"
    path.write_text(text or trials_file())
    return read_trials_file(path)


def test_the_published_rows_come_out_to_the_digit(tmp_path):
    said = summary(published(tmp_path).cells)
    for architecture, cells in PUBLISHED.items():
        block = said.split(f"Results Shape {{{architecture}}}")[1].split("\n\n")[0]
        for mode, (mean, std) in zip(MODES, map(str.split, cells), strict=True):
            assert f"* {mode}: Mean={mean}% | Std={std}% | " in block
        assert block.count("(n=10)") == 6


def test_their_parameters_are_the_published_ones(tmp_path):
    said = summary(published(tmp_path).cells)
    for shape, parameters in {"1*2048": 1628170, "1*64": 50890, "18*18": 20134}.items():
        assert f"Results Shape {{{shape}}} Parameters {{{parameters}}}\n" in said


@pytest.mark.parametrize("separator", [MALFORMED, "|---|---|---|---|---|---|---|", "|:-:|:-:|"])
def test_whatever_the_separator_row_all_trials_are_read(tmp_path, separator):
    assert published(tmp_path, trials_file(separator=separator)).trials == 240


def test_cells_without_a_value_are_left_out(tmp_path):
    text = trials_file().replace("96.62%", "N/A", 2)
    assert published(tmp_path, text).trials == 238


def test_the_trials_file_that_is_written_reads_back_to_the_same_trials(tmp_path):
    results = read_study(made(tmp_path / "s", study("none", "hidden", "noise")).root)
    path = tmp_path / "back.md"
    path.write_text(original_files(results)[TRIALS])
    back = {cell.label: cell for cell in read_trials_file(path).cells}
    assert back.keys() == {"none", "hidden", "noise"}
    for cell in results.cells:
        assert back[cell.label].bounty.tolist() == cell.bounty.round(2).tolist()


def test_trials_without_seeds_are_not_paired_and_their_tests_are_rank_sums(tmp_path):
    analysis = analyse(published(tmp_path))
    assert analysis.metric == "bounty"
    assert not any(one.test.paired for one in analysis.comparisons)
    methods = {one.test.method.split()[0] for one in analysis.comparisons}
    assert methods <= {"exact", "Fisher's"}  # rank sums, and counts where only some trials learn
    assert any("rank-sum" in one.test.method for one in analysis.comparisons)


def test_of_published_trials_no_time_is_compared_because_none_is_known(tmp_path):
    results = published(tmp_path)
    said = [one for one in costs(analyse(results)) if "control" in one]
    assert said == [
        "`decay`, `dropout`, `full`, `hidden` and `output` cost as many training FLOPs as control, "
        "within 1 %. CPU times are not known."
    ]


def test_published_decay_stays_in_its_family_because_no_record_says_that_it_never_acted(tmp_path):
    analysis = analyse(published(tmp_path))
    assert all(group.comparisons["decay"].tested for group in analysis.groups)


def test_the_table_says_how_many_pass_exploration_and_how_many_of_those_are_false(tmp_path):
    rows = {
        "1*64": ("96.00 0.10", "96.00 0.10", "97.00 0.10", "96.00 0.10", "96.00 0.10", "95.00 0.10"),
        "31*31": ("9.80 0.05", "9.80 0.05", "9.80 0.05", "9.80 0.05", "9.80 0.05", "10.50 0.05"),
    }
    note = comparisons_table(analyse(published(tmp_path, trials_file(rows)))).note
    assert "3 of 10 pass, with an expected false-discovery rate of 0.05" in note


MISTAKES = {
    "no table": ("# nothing", "holds no trials"),
    "a word for a number": (trials_file().replace("96.62%", "lots", 1), "line 6"),
    "beyond 100": (trials_file().replace("96.62%", "196.62%", 1), "percentage"),
    "too many columns": (trials_file().replace("| 96.62%", "| 1% | 96.62%", 1), "6 accuracies"),
    "twice": (trials_file() * 2, "twice"),
    "no header": ("### Architecture: 1*2\n\n| 1 | 2% |\n", "header"),
    "bad shape": (trials_file().replace("1*64", "1*cat"), "1*cat"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path, mistake):
    text, said = MISTAKES[mistake]
    with pytest.raises(InputError, match=r"psa_simplemlp_trials\.md") as caught:
        published(tmp_path, text)
    assert said in str(caught.value)
