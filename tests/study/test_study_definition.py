"""A study file is checked wholly before anything runs, and says what it means in one way only."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from study_kit import tiny, toml

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.study.architecture_sets import SETS
from frustration.study.definition import Study

CONFIGURATIONS = Path(__file__).parents[2] / "reproduction" / "configurations.txt"
DIGEST = {("mnist", 0.02): "digest"}


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        Study.from_file(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message.replace(str(path), "grid.toml")


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"meta_lops": "3"}, ("grid.toml, line 7", 'unknown key "meta_lops"', "did you mean meta_loops?")),
        ({"datasets": '"mnist"'}, ("line 7", '"datasets"', "did you mean dataset?")),
        ({"zebra": "1"}, ("line 7", '"zebra"', "keys are acceptance, analysis")),
        ({"trials": '"8"'}, ("line 4", "\"trials\" must be a whole number, not '8'")),
        ({"trials": "true"}, ("line 4", '"trials" must be a whole number, not True')),
        ({"trials": "2.0"}, ("line 4", '"trials" must be a whole number')),
        ({"meta_loops": "[1, 2]"}, ("line 5", '"meta_loops" must be a whole number')),
        ({"train_fraction": '"all"'}, ("line 6", '"train_fraction" must be a number')),
        ({"networks": "1"}, ("line 7", '"networks" must be true or false')),
        ({"modes": "[1]"}, ("line 3", '"modes" must be text')),
        ({"knobs": "3"}, ("line 7", "knobs are tables")),
        ({"trials": "0"}, ("trials must be a whole number from 1 to 1,000,000, not 0",)),
        ({"trials": f"1{'0' * 24}"}, ("trials must be a whole number from 1 to 1,000,000",)),
        ({"trials": "9" * 5000}, ("not valid TOML", "5000 digits")),
        ({"trials": f"0x{'f' * 5000}"}, ("a value of type int that is too large to print",)),
        ({"trials": "600000"}, ("the grid has 2,400,000 trials; a study has at most 1,000,000",)),
        ({"learning_rate": f"1{'0' * 400}"}, ("line 7", '"learning_rate" must be a finite number')),
        ({"knobs.hidden.dose": "9" * 100}, ('"dose" is too large a number',)),
        ({"knobs": "[" * 100_000}, ("nested too deeply",)),
        ({"modes": f'["hidden@1-{"9" * 5000}"]'}, ("hidden@1-999",)),
        ({"modes": r'["no\nne\u001b"]'}, (r'"no ne\x1b"',)),
        ({r'"a\nb\u001b"': "1"}, (r'unknown key "a\nb\x1b"',)),
        ({"architectures": '["@/dev/zero"]'}, ("/dev/zero", "a pipe or a device")),
        ({"meta_loops": "0"}, ("meta-loops must be a whole number from 1",)),
        ({"train_fraction": "0.0"}, ("train-fraction",)),
        ({"learning_rate": "nan"}, ("lr must be a finite number",)),
        ({"modes": "[]"}, ("no modes",)),
        ({"modes": '["hiden"]'}, ('"hiden"', "did you mean hidden?")),
        ({"modes": '["hidden", "hidden:dose=1"]'}, ("names one mode twice",)),
        ({"modes": '["none", "none"]'}, ("one of its modes twice",)),
        ({"modes": '["none@2-"]'}, ("none@2-",)),
        ({"only": '[["[1*2]", "none"], ["[1*4]", "none"]]'}, ('"only" leaves nothing to run for hidden',)),
        ({"architectures": '["[]"]'}, ('"hidden" has nothing to act on',)),
        ({"architectures": '["paper-99"]'}, ("paper-99", "paper-98")),
        ({"architectures": '["[2*]"]'}, ('"2*"',)),
        ({"architectures": '["@nowhere.txt"]'}, ("nowhere.txt", "No such file")),
        ({"dataset": '"mnits"'}, ('"mnits"', "mnist")),
        ({"name": '"../up"'}, ("becomes a folder",)),
        ({"name": '"tiny'}, ("not valid TOML", "line 1")),
        ({"optimizer": '"sgd"'}, ('"sgd"',)),
        ({"acceptance": '"never"'}, ('"never"',)),
        ({"knobs.hidden.doze": "2"}, ('no knob "doze"',)),
        ({"knobs.hiden.dose": "2"}, ('"hiden"',)),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(changed, words, tmp_path):
    message = refused(tmp_path, toml(**changed))
    assert all(word in message for word in words), message
    assert len(message) < 1000
    assert not re.search("[\x00-\x1f]", message)  # one line


@pytest.mark.parametrize("key", ["architectures", "modes"])
def test_a_grid_needs_architectures_and_modes(key, tmp_path):
    text = "".join(line + "\n" for line in toml().splitlines() if not line.startswith(key))
    assert f'"{key}" is missing' in refused(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "grid.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match="UTF-8"):
        Study.from_file(tmp_path / "grid.toml")
    with pytest.raises(InputError, match="No such file"):
        Study.from_file(tmp_path / "none.toml")


def test_files_of_architectures_lie_beside_the_study(tmp_path):
    (tmp_path / "small.txt").write_text("# the smallest\n[1*2]\n\n2*8  # two layers\n[1*2]\n")
    path = tmp_path / "grid.toml"
    path.write_text(toml(architectures='["@small.txt", "[1*4]", "[2*8]"]'))
    assert [str(one) for one in Study.from_file(path).architectures] == ["[1*2]", "[2*8]", "[1*4]"]
    (tmp_path / "small.txt").write_text("[1*2]\n[2*]\n")
    assert "small.txt, line 2" in refused(tmp_path, path.read_text())
    (tmp_path / "small.txt").write_text("# nothing\n")
    assert "names no architecture" in refused(tmp_path, path.read_text())


def test_the_published_grid_has_98_architectures_in_three_parts():
    grid = SETS["paper-98"]
    assert len(grid) == len(set(grid)) == 98
    assert grid == SETS["paper-shallow"] + SETS["paper-square"] + SETS["paper-deep"]
    assert [str(one) for one in (grid[0], grid[-1])] == ["[1*2048]", "[2*1]"]


def test_configurations_txt_lists_the_published_grid_in_order():
    lines = [line.partition("#")[0].strip() for line in CONFIGURATIONS.read_text().splitlines()]
    assert tuple(Architecture.parse(line) for line in lines if line) == SETS["paper-98"]


def test_a_grid_crosses_all_its_axes_and_pairs_trial_numbers():
    study = tiny(learning_rate="[1e-4, 1e-3]", trials="3")
    specs = list(study.specs(DIGEST))
    assert len(specs) == study.size == 2 * 2 * 2 * 3
    assert len({spec.id for spec in specs}) == len(specs)
    for mode in ("none", "hidden"):
        assert sorted(s.trial for s in specs if s.label == mode) == sorted([0, 1, 2] * 4)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"learning_rate": "[1e-4, 3e-4]", "dataset": '["mnist", "fashion-mnist"]', "networks": "false"},
        {"acceptance": '"patience-3"', "optimizer": '"persist"', "seed": "7", "batch_size": "64"},
        {"knobs.hidden.dose": "0.5", "knobs.hidden.selector": '"lowest-utility"'},
        {"modes": '["none", "hidden@1-1,dropout:p=0.3@2-", "hidden/patience-2/persist"]'},
    ],
)
def test_what_is_written_is_read_back_as_the_same_study(changed):
    study = tiny(**changed)
    again = Study.from_toml(study.to_toml())
    assert again == study
    digests = {(name, 0.02): name for name in study.datasets}
    assert [s.id for s in again.specs(digests)] == [s.id for s in study.specs(digests)]


def test_a_study_without_a_name_takes_that_of_its_file(tmp_path):
    text = "".join(line + "\n" for line in toml().splitlines() if not line.startswith("name"))
    (tmp_path / "my-grid.toml").write_text(text)
    assert Study.from_file(tmp_path / "my-grid.toml").name == "my-grid"


def test_knobs_of_the_study_are_defaults_that_a_mode_overrules():
    (first, second) = tiny(
        architectures='["[1*4]"]',
        trials="1",
        modes='["hidden", "hidden:dose=3"]',
        **{"knobs.hidden.dose": "2"},
    ).specs(DIGEST)
    assert (first.label, second.label) == ("hidden:dose=2", "hidden:dose=3")


def test_a_shorter_study_is_another_study():
    study = tiny()
    shorter = replace(study, meta_loops=1)
    assert {s.id for s in study.specs(DIGEST)}.isdisjoint(s.id for s in shorter.specs(DIGEST))


def test_loops_by_trial_are_kept_and_part_of_what_each_trial_is():
    study = tiny(loops_by_trial="[1, 2]")
    assert Study.from_toml(study.to_toml()) == study
    loops = [(spec.trial, spec.meta_loops) for spec in study.specs(study.no_digests())]
    assert set(loops) == {(0, 1), (1, 2)}
    short = tiny(meta_loops="1")
    alike = {spec.id for spec in short.specs(short.no_digests()) if spec.trial == 0}
    assert alike == {spec.id for spec in study.specs(study.no_digests()) if spec.trial == 0}


@pytest.mark.parametrize(
    ("loops", "message"),
    [
        ("[1]", "is of 1 trials; the study has 2"),
        ("[1, 3]", "above meta_loops = 2"),
        ("[1, 0]", "list of whole numbers"),
        ("3", "list of whole numbers"),
    ],
)
def test_loops_by_trial_that_fit_no_study_are_refused(loops, message):
    with pytest.raises(InputError, match=message):
        tiny(loops_by_trial=loops)
