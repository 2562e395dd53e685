"""What the doctor says of real-looking scripts, and what it makes of them."""

import ast
import difflib
import symtable

import pytest
from doctor_kit import EXPECTED, SCRIPTS, WISHES, first, second

from frustration.integration.examine import examine, examine_script
from frustration.integration.source import Script
from frustration.integration.steps import ESSENTIAL, STEPS
from frustration.integration.targets import Wishes

CASES = [(name, target) for name in EXPECTED for target in WISHES]
TRAINERS = ("num_train_epochs=", "save_strategy=", "load_best_model_at_end=", "trainer = L.Trainer(")


@pytest.mark.parametrize("name", EXPECTED)
def test_every_step_of_a_script_is_what_a_person_would_say(name):
    expected = EXPECTED[name]
    report = first(name)
    assert report.kind == expected.kind
    assert {step: report.state(step) for step in STEPS} == {step: expected.state(step) for step in STEPS}
    for step in report.steps:
        assert step.reason
        assert 0 <= step.line <= len(report.before.splitlines()) + 1
        assert (step.action == "edit") == bool(step.edit)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_edit_is_the_one_that_a_person_would_make(name):
    lines = first(name).after.splitlines()
    for line in EXPECTED[name].lines:
        assert line in lines


@pytest.mark.parametrize("name, target", CASES)
def test_a_second_run_changes_nothing_and_finds_every_step_done(name, target):
    assert first(name, target).changed
    assert second(name, target).after == first(name, target).after
    assert not [step for step in second(name, target).steps if step.action == "edit"]
    for step in ESSENTIAL & {step.name for step in first(name, target).steps}:
        assert second(name, target).state(step) in ("done", "undecided"), step


@pytest.mark.parametrize("name, target", CASES)
def test_only_intended_lines_change_and_the_rest_keeps_every_character(name, target):
    report = first(name, target)
    removed = [
        line[2:]
        for line in difflib.ndiff(report.before.splitlines(), report.after.splitlines())
        if line.startswith("- ")
    ]
    replaced = (
        "for ",
        "while ",
        "test(",
        "GPA.pai_tracker.add_validation_score(",
        "model = ",
        "accelerator = ",
        *TRAINERS,
    )
    assert len(removed) <= 3
    assert all(line.strip().startswith(replaced) for line in removed)


@pytest.mark.parametrize("name, target", CASES)
def test_the_edited_script_parses_and_has_no_new_undefined_name(name, target):
    report = first(name, target)
    ast.parse(report.after)
    assert undefined(report.after) <= undefined(report.before)


def undefined(source: str) -> set[str]:
    """Names that are read as globals somewhere and bound nowhere in the module."""
    known = (
        set(dir(__builtins__))
        | set(__builtins__ if isinstance(__builtins__, dict) else ())
        | {"__file__", "__name__"}
    )
    top = symtable.symtable(source, "script", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    read: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (symbol.is_global() or table is top):
                read.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(top)
    return read - bound - known


def test_networks_trained_against_each_other_are_refused_in_a_sentence():
    report = first("gan.py")
    assert not report.changed
    assert "netD by optimizerD, netG by optimizerG" in report.refused
    assert "--model-variable" in report.refused


GUARDED = """
import torch

def fit(net, epochs):
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(epochs):
        opt.zero_grad()
        net(torch.ones(1, 2)).sum().backward()
        opt.step()
        net.eval()
        with torch.no_grad():
            val_loss = net(torch.ones(1, 2)).sum().item()

if __name__ == "__main__":
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    print("training")
    fit(net, 3)
"""


def test_a_network_made_under_the_main_guard_gets_its_dendrites_before_it_is_trained():
    lines = examine_script(Script(GUARDED), Wishes()).after.splitlines()
    place = next(i for i, line in enumerate(lines) if "UPA.perforate_model(net" in line)
    assert lines[place].startswith("    net = UPA.")
    assert (
        lines.index("    net = torch.nn.Sequential(torch.nn.Linear(2, 2))")
        < place
        < lines.index("    fit(net, 3)")
    )


@pytest.mark.parametrize("name", [n for n in EXPECTED if EXPECTED[n].kind != "plain loop"])
def test_a_ratchet_in_somebody_elses_trainer_is_a_callback_and_leaves_its_end_alone(name):
    text = first(name, "ratchet").after
    assert text.count("RatchetCallback(") == 1
    assert 'mode="hidden"' in text
    assert "max_epochs=-1" not in text
    assert "10_000" not in text


def test_nothing_that_is_read_is_ever_run(tmp_path):
    script = tmp_path / "train.py"
    script.write_text((SCRIPTS / "mnist_plain.py").read_text() + "\nraise SystemExit('it ran')\n")
    (tmp_path / "model.py").write_text("raise SystemExit('it was imported')\n")
    assert examine(script).changed
