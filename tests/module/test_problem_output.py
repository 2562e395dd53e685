"""What the terminal shows of a problem: its own metric, and not percent."""

import tiny_problem

from frustration.commands.study import main as study
from frustration.commands.train import main as train
from frustration.record import LoopEntry
from frustration.references import ProblemReference
from frustration.runners.board import Board
from frustration.runners.events import LoopDone, StudyStart
from frustration.spec import TrialSpec

FILE = f"{tiny_problem.__file__}:Regression"
QUICK = ["--lr", "1e-2", "--batch-size", "32", "--threads", "1"]


def test_one_trial_and_a_comparison_are_told_in_the_unit_of_the_metric(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(["--problem", FILE, "--until", "2", *QUICK]) == 0
    one = capsys.readouterr().out
    assert "LKG test mean squared error" in one
    assert "%" not in one.replace("% done", "")
    modes = ["--ablation-mode", "none", "hidden", "--trials", "2", "--until", "3"]
    assert train(["--problem", FILE, *modes, *QUICK]) == 0
    several = capsys.readouterr().out
    assert "Score: mean squared error, lower is better." in several
    assert "LKG test" in several
    assert not {"bounty %", "LKG test %", "paired test %"} & {
        one.strip() for line in several.splitlines() for one in line.split("  ")
    }


def test_damage_is_positive_where_the_score_got_worse(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(["--problem", FILE, "--ablation-mode", "hidden:dose=4", "--until", "3", *QUICK]) == 0
    damages = [
        line.split("damage ")[1].split()[0]
        for line in capsys.readouterr().out.splitlines()
        if "damage" in line
    ]
    assert damages
    assert all(float(one) > 0 for one in damages)


def test_study_show_gives_every_problem_its_own_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "errors.toml").write_text(
        f'name = "errors"\nproblems = ["{FILE}"]\nmodes = ["none"]\ntrials = 1\nmeta_loops = 2\n'
        "learning_rate = 1e-2\nbatch_size = 32\n"
    )
    assert study(["run", "errors.toml", "--threads", "1", "--no-estimate"]) == 0
    capsys.readouterr()
    assert study(["show", "errors"]) == 0
    shown = capsys.readouterr().out
    assert "bounty %" not in shown
    assert "0." in shown


def test_means_of_a_study_are_of_one_metric_and_say_so():
    error = ProblemReference.parse(FILE)
    accuracy = ProblemReference.parse(f"{tiny_problem.__file__}:TinyCNN")
    specs = tuple(TrialSpec.of(one, "none", dataset=str(one)) for one in (accuracy, error))
    board = Board.of_study(
        StudyStart(
            name="s", specs=specs, done=frozenset(), failed=frozenset(), backend="", device="", workers=1
        )
    )
    for spec, score in zip(specs, (80.0, 0.02), strict=True):
        entry = LoopEntry(
            loop=1,
            mode="none",
            loss=1.0,
            before=None,
            damaged=None,
            accuracy=score,
            accepted=True,
            new_bounty=True,
            adopted=None,
            diverged=False,
            evidence={},
        )
        board.loop_done(LoopDone(spec.id, entry, score, 1))
    assert board.modes["none"].curve(board.settings.names) == [80.0]
    assert "means of accuracy alone" in board.settings.note
