"""What cannot be done is refused in one sentence that names the flag or the value; nothing is touched."""

import fcntl
from pathlib import Path

import pytest

from frustration.commands import main as frustration
from frustration.commands.arguments import run
from frustration.commands.train import main

QUICK = ("--train-fraction", "0.02", "--threads", "1", "--meta-loops", "1")


def refused(capsys, tmp_path, *flags: str, code: int = 2) -> str:
    models = tmp_path / "models"
    before = files(models)
    assert main(["--model-dir", str(models), *flags]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("train: ")
    assert printed.err.count("\n") == 1
    assert files(models) == before
    return printed.err


def files(models: Path) -> dict[Path, bytes]:
    found = (path for path in models.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in found}


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--arch", "[4*]"), ('segment 1, "4*"', "layers*width")),
        (("--arch", ""), ("architecture is empty",)),
        (("--arch", "[1*99999999]"), ("99999999 units", "65,536")),
        (("--arch", "[1*2]", "--hidden-layers", "4"), ("--hidden-layers cannot go together with --arch",)),
        (("--hidden-layers", "0"), ("--hidden-layers 0 is not a whole number from 1 to 65536",)),
        (("--ablation-mode", "hiden"), ('no mode "hiden"', "did you mean hidden?")),
        (("--ablation-mode", "none", "none"), ('"none" is named twice',)),
        (("--arch", "[]", "--ablation-mode", "hidden"), ('mode "hidden" has nothing to act on',)),
        (("--ablation-mode", "hidden", "--dose", "2.5"), ("dose=2.5",)),
        (("--ablation-mode", "hidden", "--selector", "best"), ("selector=best", "lowest-utility")),
        (("--ablation-mode", "dropout", "--dropout", "1"), ("p=1.0", "[0, 1)")),
        (("--lr", "abc"), ("--lr abc is not a number above 0",)),
        (("--lr", "0"), ("--lr 0 is not a number above 0",)),
        (("--lr", "-1e-3"), ("--lr -1e-3 is not a number above 0",)),
        (("--lr", "nan"), ("--lr nan",)),
        (("--lr", "inf"), ("--lr inf",)),
        (("--lr",), ("--lr needs a value",)),
        (("--meta-loops", "0"), ("--meta-loops 0 is not a whole number from 1 to 1000000",)),
        (("--meta-loops", "3", "--until", "4"), ("--until cannot go together with --meta-loops",)),
        (("--problem", "digits:Digits", "--dataset", "mnist"), ("a problem brings its own data",)),
        (("--until", "1.5"), ("--until 1.5",)),
        (("--trials", "9" * 5000), ("is not a whole number",)),
        (("--seed", "-1"), ("--seed -1 is not a whole number from 0",)),
        (("--train-fraction", "2"), ("--train-fraction 2 is not a number above 0 and at most 1",)),
        (("--dataset", "mnits"), ('"mnits"', "did you mean mnist")),
        (("--device", "tpu"), ('"tpu"', "cpu, cuda, mps")),
        (("--backend", "jax"), ('"jax"', "torch", "reference")),
        (("--optimizer", "sgd"), ('"sgd"', "fresh, persist, persist-masked")),
        (("--acceptance", "never"), ('"never"', "strict, ties, patience(K)")),
        (("--ablation_mode", "none"), ("no flag --ablation_mode", "did you mean --ablation-mode?")),
        (("--learning-rte=3",), ("there is no flag --learning-rte;",)),
        (("--json=yes",), ("--json takes no value",)),
        (("hidden",), ('unexpected argument "hidden"',)),
    ],
)
def test_what_is_given_wrongly_is_named(capsys, tmp_path, flags, words):
    error = refused(capsys, tmp_path, *flags)
    for word in words:
        assert word in error
    assert len(error) < 6000


def test_another_architecture_in_the_model_directory_is_refused_with_what_to_do(capsys, tmp_path):
    assert main(["--model-dir", str(tmp_path / "models"), *QUICK, "--arch", "[1*2]"]) == 0
    capsys.readouterr()
    error = refused(capsys, tmp_path, *QUICK, "--arch", "[1*4]")
    assert "[1*2], not [1*4]" in error
    assert "poetry run clean" in error
    assert "--model-dir" in error


def test_a_model_directory_in_use_is_refused(capsys, tmp_path):
    (tmp_path / "models").mkdir()
    with (tmp_path / "models" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = refused(capsys, tmp_path, *QUICK, code=1)
    assert "another run is using" in error


@pytest.mark.parametrize(
    "error, sentence",
    [
        (MemoryError(), "train: there is not enough memory for what was asked\n"),
        (
            MemoryError("Unable to allocate 64.0 TiB"),
            "train: there is not enough memory for what was asked: Unable to allocate 64.0 TiB\n",
        ),
    ],
)
def test_a_lack_of_memory_is_one_sentence(capsys, error, sentence):
    def asks_for_too_much(arguments):
        raise error

    assert run("train", asks_for_too_much, []) == 1
    assert capsys.readouterr() == ("", sentence)
    assert run("train", asks_for_too_much, ["--debug"]) == 1
    assert capsys.readouterr().err.startswith("Traceback")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(5, "Input/output error", "a\x1b[2Jfile"),
            "OSError: [Errno 5] Input/output error: 'a\\x1b[2Jfile'",
        ),
        (
            UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
            "UnicodeEncodeError: 'utf-8' codec",
        ),
        (
            RecursionError("maximum recursion depth exceeded"),
            "RecursionError: maximum recursion depth exceeded",
        ),
    ],
)
def test_what_nobody_expected_is_one_sentence_that_says_what_to_report(capsys, error, said):
    def fails(arguments):
        raise error

    assert run("train", fails, []) == 1
    sentence = capsys.readouterr().err
    assert sentence.startswith(f"train: unexpected {said}")
    assert sentence.endswith("; please report it, with what the same command prints with --debug\n")
    assert sentence.count("\n") == 1
    assert run("train", fails, ["--debug"]) == 1
    assert capsys.readouterr().err.startswith("Traceback")


def test_a_defect_keeps_its_traceback():
    def fails(arguments):
        raise KeyError("loop")

    with pytest.raises(KeyError):
        run("train", fails, [])


def test_debug_shows_where_an_error_came_from(capsys, tmp_path):
    assert main(["--model-dir", str(tmp_path), "--arch", "[4*]", "--debug"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Traceback")
    assert error.splitlines()[-1].startswith('train: architecture "[4*]"')


def test_help_lists_every_mode_and_flag_and_the_grammar(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for mode in ("none", "decay", "dropout", "full", "hidden", "output", "plain", "restart", "noise"):
        assert f"\n  {mode} " in text
    for word in (
        "--arch",
        "--num-workers",
        "hidden+dropout",
        "dropout@1-50,hidden@51-",
        "[1*32]",
        "examples:",
    ):
        assert word in text
    assert main(["-h"]) == 0


def test_the_umbrella_lists_its_commands_and_leads_to_them(capsys):
    assert frustration([]) == frustration(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("train", "clean", "clean-all", "analyze-dataset"):
        assert f"\n  {command} " in text
    assert frustration(["--version"]) == 0
    assert capsys.readouterr().out.startswith("frustration-engine 0.")
    assert frustration(["--", "train", "--", "--lr", "x"]) == 2
    assert capsys.readouterr().err == "train: --lr x is not a number above 0\n"


def test_an_unknown_command_is_one_sentence_with_the_nearest(capsys):
    assert frustration(["trian"]) == 2
    error = capsys.readouterr().err
    assert error.startswith('frustration: there is no command "trian" (did you mean train?)')
    assert error.count("\n") == 1
    assert frustration(["--verzion"]) == 2
    assert "did you mean --version?" in capsys.readouterr().err
