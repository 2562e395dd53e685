"""What a run ends with: the report's sentences, then a table that fits the terminal."""

import io

import pytest
from rich.console import Console

from frustration.terminal import bar
from frustration.terminal.printing import say
from frustration.terminal.table import WIDE, fitted, plain_table

HEADS = (
    "architecture",
    "mode",
    "n",
    "bounty %\nmean ± std",
    "at\nloop",
    "LKG test %\nmean ± std",
    "accepted\n%",
    "dendrites\nmean",
    "parameters\nmean",
    "MFLOP\na sample",
    "note",
)


def printed(width: int, terminal: bool = True) -> list[str]:
    table = plain_table(*HEADS, left=(0, 1, 10))
    for architecture in ("[1*32]", "[8*8]"):
        for mode in ("none", "dendrites"):
            row = (
                architecture,
                mode,
                "8",
                "96.58 ± 0.18",
                "45.5",
                "96.59 ± 0.11",
                "30",
                "–",
                "25,450",
                "0.051",
                "",
            )
            table.add_row(*row)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None, highlight=False)
    say(console, table)
    return out.getvalue().splitlines()


@pytest.fixture
def wide():
    token = WIDE.set(True)
    yield
    WIDE.reset(token)


def test_at_140_columns_nothing_is_left_out():
    lines = printed(140)
    assert all(head.split("\n")[0] in " ".join(lines[:2]) for head in HEADS)
    assert not any("--wide" in line for line in lines)


@pytest.mark.parametrize("width", [80, 60])
def test_at_80_and_60_columns_it_stays_a_table_and_says_what_left(width):
    lines = printed(width)
    assert max(map(len, lines)) <= width
    assert lines[1].startswith("architecture")
    assert "LKG test %" in lines[0]
    assert "MFLOP" not in lines[0]
    rest = " ".join(" ".join(lines[6:]).split())
    assert "MFLOP a sample" in rest
    assert "--wide shows them" in rest
    assert sum(line.startswith("[1*32]") for line in lines) == 1


def test_note_stays_where_n_leaves():
    assert "note" in " ".join(printed(60)[:3])


def test_a_comparison_with_notes_is_a_table_at_60_columns_too():
    table = plain_table("mode", "LKG test %\nmean ± std", "n", "paired test %\nvs none", "note", left=(0, 4))
    table.add_row("none", "73.56 ± 2.70", "6", "control", "")
    table.add_row("dropout", "69.77 ± 2.82", "6", "-3.79 (-9.57 to +0.00)", "inert 1 of 6")
    console = Console(width=60, force_terminal=True, color_system=None)
    made, left_out = fitted(table, console)
    assert left_out == ["n"]
    with console.capture() as captured:
        console.print(made)
    assert "dropout  69.77 ± 2.82  -3.79 (-9.57 to +0.00)  inert 1 of 6" in captured.get()


@pytest.mark.usefixtures("wide")
def test_wide_prints_all_columns_however_narrow_the_terminal():
    lines = printed(60)
    assert all(head.split("\n")[0] in " ".join(lines[:2]) for head in HEADS)


def test_a_pipe_names_the_architecture_in_every_row(capsys):
    printed(200, terminal=False)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("[1*32]") for line in lines) == 2


@pytest.mark.parametrize("policy", ["", "/ties"])
def test_a_comparison_ends_with_the_sentences_of_its_report(policy, tmp_path, monkeypatch, capsys):
    from frustration.commands.report import main as report
    from frustration.commands.train import main as train

    monkeypatch.chdir(tmp_path)
    modes = [f"none{policy}", f"hidden{policy}"]
    flags = ["--arch", "[1*2]", "--ablation-mode", *modes, "--trials", "7", "--meta-loops", "2"]
    assert train([*flags, "--threads", "1", "--train-fraction", "0.05"]) == 0
    ending = capsys.readouterr().out
    assert report(["models/1x2", "--no-figures"]) == 0
    text = (tmp_path / "models/1x2/report/report.md").read_text()
    answer = text.partition("## The answer\n\n")[2].partition("\n\n")[0].replace("`", "")
    assert answer
    for sentence in answer.splitlines():
        assert sentence.removeprefix("- ") in ending
    assert ending.index(answer.splitlines()[0].removeprefix("- ")) < ending.index("mean ± std")


def test_a_study_ends_with_the_sentences_of_its_report(tmp_path, monkeypatch, capsys):
    from frustration.commands.study import main as study
    from frustration.report import answer_of

    monkeypatch.chdir(tmp_path)
    flags = ["--architectures", "[1*2]", "--modes", "none", "hidden", "--trials", "7", "--meta-loops", "2"]
    assert study(["run", *flags, "--threads", "1", "--name", "s", "--no-estimate"]) == 0
    ending = capsys.readouterr().out
    answer = answer_of(tmp_path / "results" / "s")
    assert answer
    assert all(sentence.replace("`", "") in ending for sentence in answer)
    assert ending.index(answer[0].replace("`", "")) < ending.index("LKG test %")


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--epochs", "3"], "(did you mean --meta-loops?)"),
        (["--learning-rate", "1"], "(did you mean --lr?)"),
        (["--version"], "`frustration --version` prints it"),
        (["--ablation-mode", "psa"], "hidden, output and full"),
        (["--ablation-mode", "none,dropout"], "two modes are compared as none dropout"),
    ],
)
def test_what_others_call_it_gets_a_hint(flags, hint, capsys):
    from frustration.commands.train import main as train

    assert train(flags) == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--version"], "`frustration --version` prints it"),
        (["run", "--version"], "`frustration --version` prints it"),
        (["run", "--epochs", "3"], "(did you mean --meta-loops?)"),
        (["run", "--learning-rate", "1"], "(did you mean --lr?)"),
        (["run", "--train-fraction", "0.1"], "(if it is a key of the study's file: train_fraction=VALUE)"),
        (["run", "--lr"], "--lr needs a value: learning rates"),
        (["run", "--architectures", "[1*2]", "--modes", "psa"], "hidden, output and full"),
        (
            ["run", "--architectures", "[1*2]", "--modes", "none,dropout"],
            "two modes are compared as none dropout",
        ),
        (["run", "modes=psa"], "hidden, output and full"),
        (["run", "epochs=3"], "(did you mean meta_loops?)"),
        (["run", "trails=3"], "(did you mean trials?)"),
        (["run", "trials=many"], '"trials" must be a whole number'),
        (["run", "quickstart", "trials"], "settings are written as KEY=VALUE"),
    ],
)
def test_a_study_gives_such_hints_too(words, hint, tmp_path, monkeypatch, capsys):
    from frustration.commands.study import main as study

    monkeypatch.chdir(tmp_path)
    assert study(words) == 2
    printed = capsys.readouterr()
    assert hint in printed.err
    assert printed.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_settings_are_written_as_in_the_file(tmp_path):
    from frustration.commands.study_flags import RunOptions, study_and_store

    def of(*words):
        return study_and_store(RunOptions.read([*words, "--results", str(tmp_path)]))[0]

    preset = of()
    rates = of("lr=1e-3,3e-3", "trials=4")
    assert (rates.learning_rates, rates.trials) == ((1e-3, 3e-3), 4)
    assert rates.architectures == preset.architectures
    assert rates.name.startswith("quick-")
    assert of("lr=1e-3,3e-3", "trials=8").name == rates.name  # more trials of the same
    assert of("trials=4").name == preset.name == "quickstart"
    assert of("quickstart", "lr=1e-3", "--name", "mine").name == "mine"
    grid = of("architectures=[1*2,2*3],[1*4]", "modes=none,wide@1", "seed=7", "meta-loops=3")
    assert list(map(str, grid.architectures)) == ["[1*2, 2*3]", "[1*4]"]
    assert (grid.modes, grid.seed, grid.meta_loops) == (("none", "wide@1"), 7, 3)
    quick = ("--architectures", "[1*2]", "--modes", "none", "hidden")
    assert of(*quick, "--lr", "1e-3").learning_rates == (1e-3,)
    assert of(*quick, "--lr", "1e-3").name == of("lr=1e-3", *quick).name


def test_train_says_which_flag_a_setting_is(capsys):
    from frustration.commands.train import main as train

    assert train(["lr=1e-3"]) == 2
    assert "(did you mean --lr 1e-3?)" in capsys.readouterr().err


def test_a_flag_that_says_nought_is_over_what_the_file_says(tmp_path):
    from frustration.commands.study_flags import RunOptions, study_and_store

    file = tmp_path / "five.toml"
    file.write_text('name = "five"\narchitectures = ["[1*2]"]\nmodes = ["none"]\nseed = 5\n')
    words = [str(file), "--results", str(tmp_path)]
    assert study_and_store(RunOptions.read(words))[0].seed == 5
    assert study_and_store(RunOptions.read([*words, "--seed", "0"]))[0].seed == 0


def test_a_study_without_a_file_takes_rates_data_sets_and_a_seed(tmp_path, capsys):
    from frustration.commands.study_flags import RunOptions, study_and_store

    grid = ["--architectures", "[1*2]", "--modes", "none", "hidden", "--results", str(tmp_path)]
    options = RunOptions.read([*grid, "--lr", "1e-3", "3e-3", "--seed", "5", "--dataset", "mnist"])
    study, _ = study_and_store(options)
    assert (study.learning_rates, study.seed, study.datasets) == ((1e-3, 3e-3), 5, ("mnist",))
    other, _ = study_and_store(RunOptions.read(grid))
    assert study.name != other.name
    preset, _ = study_and_store(RunOptions.read(["quickstart", "--lr", "3e-3", "--results", str(tmp_path)]))
    assert preset.learning_rates == (3e-3,)


@pytest.mark.parametrize("live", [True, False])
def test_the_line_of_a_measurement_is_cleared_however_it_ends(live, monkeypatch, capsys):
    monkeypatch.setattr(bar, "in_terminal", lambda stream: live)

    def broken_off():
        with bar.measuring() as at:
            at(1, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert capsys.readouterr().err == (f"{bar.CLEAR}measuring 1/3{bar.CLEAR}" if live else "")
