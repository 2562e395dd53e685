"""What `train` says: plain lines in a pipe, JSON lines, and sentences that keep results from misleading."""

import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import frustration
from frustration import LoopEntry, TrialSpec
from frustration.commands.train import main
from frustration.engine.trial import Trial
from frustration.modes import Mode, Program, Segment
from frustration.network import Shape
from frustration.record import GROWN
from frustration.request import Request
from frustration.runners.events import LoopDone
from frustration.statistics.paired import sign_flip_interval
from frustration.terminal.comparison import controls_of
from frustration.terminal.printing import say
from frustration.terminal.summary import cautions, summary
from frustration.terminal.train import TrainShow
from frustration.terminal.view import JsonView

QUICK = ("--train-fraction", "0.02", "--lr", "1e-3", "--threads", "1")


@pytest.fixture
def train(tmp_path, capsys):
    """Runs `train` in a model directory of its own; gives (exit code, stdout, stderr)."""

    def run(*flags: str, model_dir=tmp_path / "models"):
        code = main([*QUICK, "--model-dir", str(model_dir), *flags])
        return code, *capsys.readouterr()

    return run


def objects(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_single_trial_shows_its_layers_a_line_per_loop_and_where_the_network_lies(train, tmp_path):
    code, out, err = train("--arch", "4x2,2", "--hidden-layers", "2")
    assert code == 2  # one of the two
    code, out, err = train("--arch", "2x4", "--ablation-mode", "hidden", "--meta-loops", "3")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == '[2*4] on mnist: 3,210 parameters, mode "hidden", to loop 3, seed 0'
    assert re.search(r"hidden 1 +4 +3,140\nhidden 2 +4 +20\noutput +10 +50\n", out)
    loops = [line for line in lines if line.startswith("loop ")]
    assert [line.split()[1] for line in loops] == ["1/3", "2/3", "3/3"]
    assert "damage" not in loops[0]
    assert all("damage" in line and "recovery" in line for line in loops[1:])
    assert all(("accepted" in line) != ("discarded" in line) for line in loops)
    best, at = re.search(r"bounty \(validation\) +([0-9.]+) % @ loop ([123])\n", out).groups()
    assert f"validation {best:>5} %  bounty {best:>5} % @ {at}  accepted" in loops[int(at) - 1]
    assert re.search(r"LKG test accuracy +[0-9.]+ %\n", out)
    assert lines[-1] == f"checkpoint: {tmp_path}/models/mnist_lkg.safetensors"
    assert (tmp_path / "models" / "mnist_lkg.safetensors").is_file()


def test_long_networks_get_a_short_table(train):
    code, out, _ = train("--arch", "[3*4,1*5,1*4,1*5,1*4,1*5,1*4,1*5,1*4]", "--meta-loops", "1")
    assert code == 0
    rows = re.findall(r"^(?:hidden|output).* ([0-9,]+)$", out, re.MULTILINE)
    assert len(rows) == 8
    total = re.search(r"([0-9,]+) parameters,", out)[1]
    assert sum(int(row.replace(",", "")) for row in rows) == int(total.replace(",", ""))


def test_a_comparison_has_a_line_per_loop_and_mode_and_ends_in_a_table(train, tmp_path):
    modes, slow = ("none", "decay", "hidden"), ("--lr", "1e-4")  # at which decay is inert
    code, out, err = train(
        "--arch", "[1*4]", "--ablation-mode", *modes, *slow, "--trials", "3", "--meta-loops", "3", "--json"
    )
    assert (code, err) == (0, "")
    results = [one for one in objects(out) if one["type"] == "trial"]
    code, out, err = train(
        "--arch", "[1*4]", "--ablation-mode", *modes, *slow, "--trials", "3", "--until", "3"
    )  # all is done: the table is printed again
    assert "nothing to do" in out

    of = {mode: [one for one in results if one["mode"] == mode] for mode in modes}
    assert all(len(trials) == 3 for trials in of.values())
    rows = out.partition("\nmode ")[2].partition("\nstd: ")[0].splitlines()
    table = {line.split()[0]: line for line in rows if line and line.split()[0] in modes}
    assert list(table) == list(modes)
    for mode, trials in of.items():
        bounties = [one["bounty"] for one in trials]
        mean = sum(bounties) / 3
        std = (sum((bounty - mean) ** 2 for bounty in bounties) / 3) ** 0.5  # ddof 0
        assert f"{mean:.2f} ± {std:.2f}" in table[mode]
        test = sum(one["test_accuracy"] for one in trials) / 3
        control = sum(one["test_accuracy"] for one in of["none"]) / 3
        assert f"{test:.2f} ± " in table[mode]
        if mode == "hidden":  # three pairs can exclude no difference
            assert f" {test - control:+.2f} (unbounded) " in table[mode]
    assert "control" in table["none"]
    assert " identical " in table["decay"]
    assert table["decay"].endswith("inert")
    assert "divided by n (ddof 0)" in out
    assert (
        out.splitlines()[-1] == f"checkpoints: {tmp_path}/models/1x4/MODE/tNNN_lkg.safetensors (9 networks)"
    )
    assert len(list((tmp_path / "models").rglob("t00[012]_lkg.safetensors"))) == 9


def test_paired_differences_have_the_interval_that_reports_give(train):
    flags = ("--arch", "[1*4]", "--ablation-mode", "none", "hidden", "--until", "2", "--trials", "6")
    _, out, _ = train(*flags, "--json")
    tests = {
        mode: [one["test_accuracy"] for one in objects(out) if one["type"] == "trial" and one["mode"] == mode]
        for mode in ("none", "hidden")
    }
    differences = np.subtract(tests["hidden"], tests["none"])
    estimate = sign_flip_interval(np.round(differences, 9))
    assert np.isfinite(estimate.low)
    _, out, _ = train(*flags)
    assert f" {estimate.value:+.2f} ({estimate.low:+.2f} to {estimate.high:+.2f}) " in out


def test_one_trial_has_no_spread(train):
    _, out, _ = train("--arch", "[1*2]", "--ablation-mode", "none", "hidden", "--meta-loops", "1")
    assert "± –" in out
    assert "± 0.00" not in out


def test_other_settings_are_refused_by_the_command_too(train):
    flags = ("--arch", "[1*2]", "--trials", "2")
    train(*flags, "--until", "1")
    for length in (("--until", "1"), ("--meta-loops", "1")):
        code, out, err = train(*flags, *length, "--lr", "1e-2")
        assert (code, out) == (2, "")
        assert "(learning rate 0.001 then, 0.01 now)" in err
        assert "--continue-with-new-settings" in err


def test_a_mixed_control_carries_its_mark(train):
    """A control that was trained under two learning rates never stands in a table without saying so."""
    flags = ("--arch", "[1*2]", "--trials", "2", "--ablation-mode", "none")
    train(*flags, "--until", "1")
    train(*flags, "--until", "2", "--lr", "1e-2", "--continue-with-new-settings")
    code, out, err = train(*flags, "hidden", "--until", "2", "--lr", "1e-2")
    assert (code, err) == (0, "")
    assert re.search(r"\n.*vs none, mixed", out)
    (row,) = [line for line in out.splitlines() if line.startswith("none ")]
    assert row.endswith("mixed")
    (row,) = [line for line in out.splitlines() if line.startswith("hidden ") and "±" in line]
    assert "mixed" not in row
    assert (
        'mode "none" is mixed, so it is no clean arm of a comparison: from loop 1 in mode "none", from '
        'loop 2 in mode "none" (learning rate 0.001 then, 0.01 now)'
    ) in out
    _, out, _ = train(*flags, "hidden", "--until", "2", "--lr", "1e-2", "--json")
    assert {one["mode"]: one["mixed"] for one in objects(out) if one["type"] == "trial"} == {
        "none": True,
        "hidden": False,
    }


def test_one_network_in_two_modes_says_so_in_its_table(train):
    flags = ("--arch", "[1*2]", "--meta-loops", "1", "--ablation-mode")
    train(*flags, "none")
    _, out, _ = train(*flags, "hidden")
    assert re.search(r'mixed +from loop 1 in mode "none", from loop 2 in mode "hidden"', out)


@pytest.mark.parametrize("policy", [("--acceptance", "ties"), ("--optimizer", "persist")])
def test_the_control_is_none_under_the_policies_of_all(train, policy):
    code, out, _ = train(
        "--arch", "[1*2]", "--ablation-mode", "hidden", "none", "--trials", "2", "--meta-loops", "2", *policy
    )
    assert code == 0
    assert f" vs none/{policy[1]} " in out
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert " control " in rows[f"none/{policy[1]}"]
    assert "control" not in rows[f"hidden/{policy[1]}"]


def test_every_mode_is_compared_with_its_own_control():
    modes = ["none", "hidden", "plain", "dendrites", "wide@1", "early-stop"]
    assert controls_of([record_of(TrialSpec.of("[1*2]", mode)) for mode in modes]) == {
        "none": "plain",
        "hidden": "none",
        "plain": None,
        "dendrites": "plain",
        "wide@1": "plain",
        "early-stop": "plain",
    }


def record_of(spec, *entries):
    trial = Trial.fresh(spec, Shape(spec.architecture, 4, 2))
    trial.curve, trial.loop = list(entries), len(entries)
    return trial.record()


def test_each_loop_of_a_mode_is_told_once_when_all_its_trials_have_done_it(train):
    code, out, _ = train(
        "--arch", "[1*2]", "--ablation-mode", "none", "hidden", "--trials", "2", "--meta-loops", "2"
    )
    assert code == 0
    told = re.findall(r"^(none|hidden) +loop (\d)/2  mean validation", out, re.MULTILINE)
    assert len(set(told)) == len(told)
    assert {("none", "2"), ("hidden", "2")} <= set(told)
    assert re.search(r"^none +loop 2/2  .*  accepted [012]/2  0:00 left$", out, re.MULTILINE)


def test_json_starts_with_start_then_loops_and_trials(train, tmp_path):
    modes = ("dropout@1-1,hidden@2-", "none/ties")
    code, out, err = train(
        "--arch", "[1*4]", "--ablation-mode", *modes, "--trials", "2", "--meta-loops", "2", "--json"
    )
    assert (code, err) == (0, "")
    said = objects(out)
    assert [one["type"] for one in said] == ["start"] + ["loop"] * 8 + ["trial"] * 4 + ["end"]
    start, *rest, end = said
    assert {one["id"]: one["mode"] for one in start["trials"]} == {one["id"]: one["mode"] for one in rest}
    assert end == {"type": "end", "interrupted": False, "failed": 0, "unfinished": []}
    loops = [one for one in rest if one["type"] == "loop"]
    fields = {field.name for field in dataclasses.fields(LoopEntry)} - {"mode", *GROWN}  # nothing grows here
    for one, other in itertools.permutations(("start", "loop", "trial", "end"), 2):
        for name, value in next(o for o in said if o["type"] == one).items():
            same = next(o for o in said if o["type"] == other).get(name, value)
            assert isinstance(value, bool) == isinstance(same, bool), name
    for one in loops:
        assert fields | {"id", "arch", "mode", "trial", "loop", "target"} <= set(one)
        assert one["arch"] == "[1*4]"
        assert one["target"] == 2
    assert [one["loop_mode"] for one in loops if one["mode"] == modes[0] and one["trial"] == 1] == [
        "dropout@1-1",
        "hidden@2-",
    ]
    for trial in rest[8:]:
        last = [one for one in loops if one["id"] == trial["id"]][-1]
        assert (trial["bounty"], trial["bounty_loop"]) == (last["lkg_accuracy"], last["lkg_loop"])
        assert trial["checkpoint"].startswith(f"{tmp_path}/models/1x4/")
        assert trial["test_accuracy"] > 0


def test_decay_at_its_defaults_is_called_inert_and_said_why(train):
    _, out, _ = train("--arch", "[1*2]", "--ablation-mode", "decay", "--lr", "1e-4", "--meta-loops", "2")
    assert (
        "decay is inert: its factor 1 - lr * weight_decay = 1 - 0.0001 * 0.0001 rounds to 1 in float32" in out
    )
    _, out, _ = train(
        "--arch", "[1*2]", "--ablation-mode", "decay", "--meta-loops", "1", "--weight-decay", "0.1", "--fresh"
    )
    assert "inert" not in out


def test_an_inert_mode_of_another_package_may_call_its_evidence_what_it_likes():
    class Scale(Mode):
        name = "scale"

        def acted(self, evidence):
            return False

    program = Program((Segment((Scale(),)),))
    spec = dataclasses.replace(TrialSpec.of("[1*2]", "none", meta_loops=2), program=program)
    entry = LoopEntry(
        loop=2, mode="scale", loss=1, before=50, damaged=50, accuracy=55, accepted=True, new_bounty=True,
        evidence={"scale": {"factor": 1.0}},
    )  # fmt: skip
    record = record_of(spec, dataclasses.replace(entry, loop=1, evidence={}), entry)
    assert record.inert == ("scale",)
    outcome = types.SimpleNamespace(records=[record])
    assert next(cautions(outcome)) == "scale is inert: it never changed anything"


def test_a_treatment_that_had_no_chance_yet_is_not_called_inert(tmp_path, capsys):
    outcome = interrupted_after(3, tmp_path / "models")
    for what in summary(outcome, fresh=True):
        say(Console(file=sys.stdout, width=200), what)
    out = capsys.readouterr().out
    assert "inert" not in out
    assert re.search(r"^hidden +1/2 ", out, re.MULTILINE)
    assert "interrupted: 1 of 4 trials are finished, 1 begun; the 3 loops" in out
    assert "to continue: the same command without --fresh; " in out


def test_loops_before_the_resume_file_was_lost_count(tmp_path, capsys):
    quick = {"model_dir": tmp_path, "train_fraction": 0.02, "threads": 1}
    before = frustration.train("[1*2]", "hidden", meta_loops=3, **quick)
    before.files[0].resume.unlink()
    stop = threading.Event()

    def stop_after_a_loop(event):
        if isinstance(event, LoopDone):
            stop.set()

    outcome = frustration.train("[1*2]", "hidden", meta_loops=3, **quick, emit=stop_after_a_loop, stop=stop)
    (record,) = outcome.records
    assert ([entry.loop for entry in record.curve], record.loop, record.finished) == ([4], 4, False)
    for what in summary(outcome, fresh=False):
        say(Console(file=sys.stdout, width=200), what)
    assert "interrupted: 4 of 6 loops are done and kept" in capsys.readouterr().out
    (end,) = told(outcome, capsys)
    assert [one["loops"] for one in end["unfinished"]] == [4]
    done = frustration.train("[1*2]", "hidden", until=4, **quick)
    written = frustration.read_record(done.files[0].record.read_bytes()).record()
    assert (written.loop, written.finished) == (4, True)


def test_a_session_that_ends_before_its_first_loop_has_the_loops_that_it_found(tmp_path, capsys):
    quick = {"model_dir": tmp_path, "train_fraction": 0.02, "threads": 1}
    frustration.train("[1*2]", "hidden", meta_loops=3, **quick).files[0].resume.unlink()
    stop = threading.Event()
    stop.set()
    outcome = frustration.train("[1*2]", "hidden", meta_loops=3, **quick, stop=stop)
    for what in summary(outcome, fresh=False):
        say(Console(file=sys.stdout, width=200), what)
    out = capsys.readouterr().out
    assert "interrupted: 3 of 6 loops are done and kept" in out
    assert "inert" not in out
    assert f"checkpoint: {tmp_path}/mnist_lkg.safetensors" in out
    assert [one["loops"] for one in told(outcome, capsys)[0]["unfinished"]] == [3]


def told(outcome, capsys) -> list[dict]:
    """What --json prints at the end."""
    request = Request(architecture=outcome.records[0].spec.architecture, modes=("hidden",))
    JsonView(TrainShow(request)).end(outcome)
    return objects(capsys.readouterr().out)


def interrupted_after(loops: int, model_dir):
    """The outcome of a comparison of 2 x 2 trials, one after the other, that was stopped so early."""
    stop, seen = threading.Event(), []

    def watch(event):
        seen.extend([event] if isinstance(event, LoopDone) else [])
        if len(seen) == loops:
            stop.set()

    return frustration.train(
        "[1*2]", ["none", "hidden"], trials=2, meta_loops=2, train_fraction=0.02, model_dir=model_dir,
        backend="reference", threads=1, emit=watch, stop=stop,
    )  # fmt: skip


def test_an_ablation_without_units_is_called_inert(train):
    _, out, err = train("--arch", "[1*2]", "--ablation-mode", "hidden", "--dose", "0", "--meta-loops", "2")
    assert 'hidden in mode "hidden:dose=0" is inert: it never changed anything\n' in out
    assert err == ""


def test_a_loss_that_is_not_finite_is_told_and_its_loops_are_not_accepted(train, tmp_path):
    code, out, _ = train("--arch", "[1*4]", "--lr", "1e38", "--meta-loops", "2")
    assert code == 0
    assert out.count("discarded: loss not finite") == 2
    assert 'mode "none": loss was not finite in 2 loops; they were discarded\n' in out
    assert out.endswith("checkpoint: none, for there is no usable network\n")
    assert not (tmp_path / "models" / "mnist_lkg.safetensors").exists()


def test_the_same_command_again_adds_loops_and_says_so(train):
    flags = ("--arch", "[1*2]", "--meta-loops", "2")
    train(*flags)
    code, out, _ = train(*flags)
    assert code == 0
    assert "note: resuming at loop 2; adding 2 more\n" in out
    assert re.findall(r"^loop (\d)/4", out, re.MULTILINE) == ["3", "4"]


def test_many_notes_of_one_kind_are_cut_short(train):
    flags = ("--arch", "[1*2]", "--trials", "7", "--meta-loops", "1", "--ablation-mode")
    train(*flags, "none", "--acceptance", "ties")
    code, out, _ = train(*flags, "none/ties", "--lr", "2e-3", "--continue-with-new-settings")
    assert code == 0
    assert 1 <= out.count("note: ") <= 5


def test_flags_without_effect_are_remarked_and_accepted(train):
    flags = ("--weight-decay", "0.1", "--dropout", "0.3", "--dose", "2", "--num-workers", "4")
    code, _, err = train("--arch", "[1*2]", "--meta-loops", "1", *flags)
    assert code == 0
    remarks = err.splitlines()
    assert "note: --num-workers has no use any more, because the data is in memory" in remarks
    for flag in ("--weight-decay", "--dropout", "--dose"):
        assert sum(remark.startswith(f"note: {flag} has no effect: ") for remark in remarks) == 1
    assert "(it belongs to decay)" in err
    assert "hidden, output, noise)" in err


def test_a_dose_reaches_every_mode_that_has_one(train):
    _, out, err = train(
        "--arch", "[1*4]", "--ablation-mode", "hidden", "full", "none", "--dose", "0.5", "--json",
        "--meta-loops", "2", "--selector", "uniform",
    )  # fmt: skip
    assert err == ""
    second = {one["mode"]: one for one in objects(out) if one["type"] == "loop" and one["loop"] == 2}
    assert set(second) == {"hidden:dose=0.5", "full:dose=0.5:selector=uniform", "none"}
    assert len(second["hidden:dose=0.5"]["evidence"]["hidden"]["units"]) == 2
    assert len(second["full:dose=0.5:selector=uniform"]["evidence"]["full"]["units"]) == 7


def test_hidden_layers_are_widths(train):
    _, out, _ = train("--hidden-layers", "5", "4", "--meta-loops", "1")
    assert out.startswith("[1*5, 1*4] on mnist: ")


def test_a_widened_network_is_announced_with_the_parameters_that_it_has(train):
    _, out, _ = train("--arch", "1x4", "--ablation-mode", "wide@1", "--meta-loops", "1")
    assert out.startswith("[1*4] on mnist: 6,370 parameters, mode")


def test_a_leading_separator_is_dropped(train, tmp_path, capsys):
    assert main(["--", *QUICK, "--model-dir", str(tmp_path), "--arch", "[]", "--meta-loops", "1"]) == 0
    assert capsys.readouterr().out.startswith("[] on mnist: 7,850 parameters")


def test_debug_names_backend_and_group(train):
    code, _, err = train(
        "--arch", "[1*2]", "--meta-loops", "1", "--debug", "--backend", "torch", "--device", "cpu"
    )
    assert code == 0
    assert "debug: backend torch on cpu" in err
    assert "'group': {'runs': ['f'], 'slot': 0}" in err


def test_signal_handlers_are_as_before_when_it_has_ended(train):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    train("--arch", "[1*2]", "--meta-loops", "1")
    train("--arch", "[1*")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_without_a_compiler_torch_is_used_and_says_so(tmp_path):
    """One line with the reason, and the training continues."""
    program = Path(sys.executable).with_name("train")
    plain = {k: v for k, v in os.environ.items() if k != "CXX"}
    environment = {**plain, "PATH": str(tmp_path), "FRUSTRATION_CACHE": str(tmp_path / "cache")}
    flags = ["--arch", "[1*2]", "--meta-loops", "1", "--device", "cpu", "--train-fraction", "0.02"]
    ended = subprocess.run(
        [program, *flags, "--model-dir", tmp_path / "models"], env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("using torch:") == 1
