"""What the doctor does not understand is told: every use of the network and of its optimizer is explained."""

from pathlib import Path

import pytest
from doctor_kit import EXPECTED, NETWORK, SCRIPTS, report

from frustration.integration.efficiency import advice
from frustration.integration.examine import examine, examine_script
from frustration.integration.scoreboard import score
from frustration.integration.source import Script
from frustration.integration.targets import Wishes
from frustration.integration.writing import text

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = f"""
import copy
import torch
import torch.nn as nn
import torch.nn.utils.prune as prune
import helpers
{NETWORK}
def step(net, opt):
    opt.zero_grad()
    net(torch.ones(3, 4)).sum().backward()
    opt.step()

def validate(net):
    net.eval()
    return net(torch.ones(3, 4)).sum().item()

net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
"""
LOOP = """
for epoch in range(9):
    step(net, opt)
    val_loss = validate(net)
"""


def looks(text: str, wishes: Wishes | None = None) -> dict[int, str]:
    """The lines that were not understood, by their numbers, and what is said of them."""
    steps = report(text, wishes).steps
    return {step.line: f"{step.name}: {step.reason}" for step in steps if step.action == "look"}


BEFORE = [
    ("helpers.attach(net)", "model", "whether attach changes its layers"),
    ("helpers.watcher(opt)", "optimizer", "whether watcher keeps the optimizer"),
    ("ema = copy.deepcopy(net)", "rebuild", "whether this copy is used after growth"),
    ("held = {'net': net}", "rebuild", "whether what is kept here is used after growth"),
    ("helpers.state.opt = opt", "rebuild", "whether what is kept here is used after growth"),
    ("net.body.register_forward_hook(print)", "configuration", "whether this hook is still called"),
    (
        "prune.random_unstructured(net.body, 'weight', amount=0.1)",
        "configuration",
        "this part of the network",
    ),
    ("net.body.fuse()", "configuration", "whether this changes layers"),
    ("opt.add_param_group({'params': [torch.ones(1)]})", "optimizer", "whether this changes layers"),
]


@pytest.mark.parametrize("line, step, sentence", BEFORE)
def test_a_use_that_nothing_explains_is_told_with_its_line(line, step, sentence):
    found = looks(f"{HEAD}{line}\n{LOOP}")
    assert list(found) == [len(HEAD.splitlines()) + 1]
    assert all(said.startswith(step) and sentence in said for said in found.values())


HELD = [
    ("params = list(net.parameters())", "    nn.utils.clip_grad_norm_(params, 1.0)", "the new parameters"),
    (
        "params = list(net.body.parameters()) + list(net.head.parameters())",
        "    nn.utils.clip_grad_norm_(params, 1.0)",
        "the new parameters",
    ),
    (
        "params = []; params += list(net.parameters())",
        "    nn.utils.clip_grad_norm_(params, 1.0)",
        "the new parameters",
    ),
    (
        "params = list(net.parameters())[:1]",
        "    nn.utils.clip_grad_norm_(params, 1.0)",
        "the new parameters",
    ),
    ("other = opt", "    other.zero_grad()", "the new optimizer"),
    ("head = net.head", "    print(head(torch.ones(1, 8)))", "the new layers"),
]


@pytest.mark.parametrize("before, inside, sentence", HELD)
def test_what_was_taken_before_growth_is_told_where_it_is_used_later(before, inside, sentence):
    assert looks(f"{HEAD}{before}\n{LOOP}") == {}
    found = looks(f"{HEAD}{before}\n{LOOP}{inside}\n")
    assert list(found) == [len(HEAD.splitlines()) + 1]
    assert sentence in next(iter(found.values()))


INSIDE = [
    ("    if helpers.enough(epoch):\n        raise SystemExit", {}),
    ("    for x in range(3):\n        if x:\n            break", {}),
    ("    if epoch:\n        helpers.sys.exit()\n    exit()", {4: "end: `exit()`"}),
    ("    net.head = nn.Linear(8, 2)", {1: "model: `net.head`"}),
    ("    if epoch: net.head = nn.Linear(8, 2)", {1: "model: `net.head`"}),
    ("    a = 1; net.head = nn.Linear(8, 2)", {1: "model: `net.head`"}),
    ("    net.head, a = nn.Linear(8, 2), 1", {1: "model: `net.head`"}),
    ("    net.head = nn.Linear(8, 2) if epoch else net.head", {1: "model: `net.head`"}),
    ("    for net.epoch in range(9):\n        pass", {}),
    ("    with open('log') as net.file:\n        pass", {}),
    ("    helpers.shrink(net)", {1: "model: `helpers.shrink(net)`"}),
]


@pytest.mark.parametrize("lines, expected", INSIDE)
def test_what_happens_during_training_is_told_if_it_ends_it_or_changes_the_network(lines, expected):
    found = looks(f"{HEAD}{LOOP}{lines}\n")
    first = len(f"{HEAD}{LOOP}".splitlines())
    assert list(found) == [first + place - (0 if place < 4 else 1) for place in expected]
    assert all(
        found_said.startswith(said)
        for found_said, said in zip(found.values(), expected.values(), strict=True)
    )


FOLLOWED = """
class Loop:
    def __init__(self, model):
        self.inner = model

    def go(self):
        helpers.grow(self.inner)

def pass_on(module):
    helpers.shrink(module)
    return module
"""


def test_the_network_is_followed_through_functions_classes_and_attributes():
    text = HEAD.replace("def validate", f"{FOLLOWED}\ndef validate")
    found = looks(f"{text}again = pass_on(net)\nLoop(again)\n{LOOP}")
    assert ["grow" in said or "shrink" in said for said in found.values()] == [True, True]


BESIDE = """
import elsewhere

class Clip:
    def __init__(self, params, optimizer):
        self.params = params
        self.optimizer = optimizer

    def __call__(self):
        elsewhere.norm(self.params)

def attach(network):
    elsewhere.attach(network)
"""


def test_files_beside_the_script_are_followed_and_named(tmp_path):
    (tmp_path / "helpers.py").write_text(BESIDE)
    before = "clip = helpers.Clip(list(net.parameters()), opt)\nhelpers.attach(net)\n"
    (tmp_path / "train.py").write_text(f"{HEAD}{before}{LOOP}    clip()\n")
    looks = [step for step in examine(tmp_path / "train.py").steps if step.action == "look"]
    assert any("has to be given the new parameters" in step.reason for step in looks)
    place = next(step.place for step in looks if "`elsewhere.attach(network)`" in step.reason)
    assert place == "helpers.py, line 13"


def test_an_optimizer_with_a_schedule_of_its_own_or_made_again_is_told():
    planned = HEAD.replace("net.parameters(), lr=0.1", "net.parameters(), lr=0.1, t_total=100")
    assert "whether this plans a fixed length" in "".join(looks(planned + LOOP).values())
    again = HEAD.replace("opt = torch.optim", "for epoch in range(9):\n    opt = torch.optim")
    again += "\ndef fit():" + LOOP.replace("\n", "\n    ")
    assert "whether the optimizer is made again" in "".join(looks(again).values())


def test_a_step_that_could_not_be_examined_is_said_to_be_so():
    hidden = HEAD.replace(
        "opt = torch.optim.SGD(net.parameters(), lr=0.1)", "opt = torch.optim.SGD(hidden, lr=0.1)"
    )
    report = examine_script(Script(hidden + LOOP), Wishes())
    assert {step.name for step in report.steps} >= {"score", "rebuild", "direction", "end", "model"}
    unmade = Script(LIGHTNING.replace("fit(module)", "fit(given)").replace("ARGUMENT", "devices=1"))
    steps = examine_script(unmade, Wishes()).steps
    assert {"configuration", "rebuild", "end"} <= {step.name for step in steps if step.action == "hand"}


def test_a_wrapper_that_no_step_knows_is_told_or_said_to_be_unexamined():
    held = "holder = helpers.Holder()\nfor module in [net]:\n    again = nn.DataParallel(module)\n"
    other = "again = net\nagain = nn.DataParallel(again)\n"
    assert "parallel" in "".join(looks(f"{HEAD}{other}{LOOP}").values())
    hidden = HEAD.replace("net.parameters(), lr=0.1", "hidden, lr=0.1")
    steps = examine_script(Script(hidden + held + LOOP), Wishes()).steps
    assert any(step.name == "parallel" and "not examined" in step.reason for step in steps)


def test_a_name_for_the_score_is_no_other_best():
    loop = LOOP + "    kept = val_loss\n    if kept < best:\n        best = kept\n"
    assert looks(HEAD + loop) == {}


def test_a_test_set_that_is_handed_to_an_evaluation_of_any_set_is_told():
    loop = LOOP.replace("validate(net)", "validate(net, test_loader)")
    head = HEAD.replace("def validate(net):", "def validate(net, val_loader=None):")
    steps = examine_script(Script(head + loop), Wishes()).steps
    assert any("the test set decides about growth" in step.reason for step in steps)


def test_a_learning_rate_set_out_of_sight_is_told_as_a_matter_of_the_schedule():
    found = looks(f"{HEAD}{LOOP}    helpers.warm(opt, epoch)\n")
    assert [said.partition(":")[0] for said in found.values()] == ["scheduler"]


def test_an_edit_for_a_score_of_another_network_or_of_training_data_is_not_made_unasked():
    for arguments, sentence in (
        ("helpers.model", "whether this evaluates net"),
        ("net, train_loader", "whether this scores the training data"),
    ):
        script = Script(HEAD + LOOP.replace("validate(net)", f"validate({arguments})"))
        report = examine_script(script, Wishes())
        assert [sentence in step.reason for step in report.undecided] == [True]
        assert not report.changed
        assert examine_script(script, Wishes(metric="val_loss")).changed  # whoever names it has looked


def test_another_loop_that_trains_is_told_wherever_it_is():
    first = "def warm_up():\n    for _ in range(3):\n        step(net, opt)\n\nwarm_up()\n"
    assert "whether this loop trains the same network" in "".join(looks(HEAD + first + LOOP).values())


def test_a_best_value_of_something_else_than_the_score_is_told():
    loop = LOOP + "    if helpers.cost < best_cost:\n        best_cost = helpers.cost\n"
    assert "whether helpers.cost should decide about growth" in "".join(looks(HEAD + loop).values())


def test_layers_that_come_from_outside_of_a_class_are_told():
    given = HEAD.replace("def __init__(self):", "def __init__(self, body):").replace(
        "self.body = nn.Linear(4, 8)", "self.body = body"
    )
    given = given.replace("net = Net()", "net = Net(helpers.Body())")
    assert "whether the neurons of self.body" in "".join(looks(given + LOOP).values())
    foreign = HEAD.replace("nn.Linear(4, 8)", "helpers.Body(4, 8)")
    assert "whether the neurons of self.body" in "".join(looks(foreign + LOOP).values())
    norm = HEAD.replace("self.body = nn.Linear(4, 8)", "self.body_norm = helpers.Norm(4)")
    assert looks(norm.replace("self.body(x)", "self.body_norm(x)") + LOOP) == {}


ORDINARY = """
print(net, len(list(net.children())), sum(p.numel() for p in net.parameters() if p.requires_grad))
helpers.summary(net, (3, 4))
helpers.wandb.watch(net)
torch.save({"net": net.state_dict(), "opt": opt.state_dict()}, "first.pt")
for name, p in net.named_parameters():
    print(name, p.shape)
if isinstance(net, nn.Module) and next(net.parameters()).is_cuda:
    net = net.cuda()
net.apply(helpers.init_weights)
"""


@pytest.mark.parametrize("target", ["perforatedai", "frustration"])
def test_ordinary_uses_are_not_mentioned(target):
    inside = """    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    penalty = sum(p.pow(2).sum() for p in net.parameters())
    for group in opt.param_groups:
        print(group["lr"], penalty)
    best = copy.deepcopy(net.state_dict())
"""
    assert looks(f"{HEAD}{ORDINARY}{LOOP}{inside}", Wishes(target=target)) == {}


NOISE = {"trainer_text.py": 2, "transformers/original.py": 2, "lora/original.py": 1}
"""The lines that are not understood in our own scripts: a Trainer's processes and schedule; pretraining."""


@pytest.mark.parametrize("path", [SCRIPTS / n for n in EXPECTED] + sorted(EXAMPLES.glob("*/original.py")))
def test_our_own_scripts_have_next_to_none(path):
    name = path.name if path.parent == SCRIPTS else f"{path.parent.name}/{path.name}"
    count = sum(step.action == "look" for step in examine(path).steps)
    assert count == NOISE.get(name, 0)


LIGHTNING = """
import lightning as L
import torch

class Lit(L.LightningModule):
    def validation_step(self, batch, index):
        self.log("val_acc", 1.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

module = Lit()
trainer = L.Trainer(max_epochs=9, ARGUMENT)
trainer.fit(module)
"""


@pytest.mark.parametrize(
    "argument, step",
    [
        ("devices='auto'", "parallel"),
        ("strategy=helpers.choose()", "parallel"),
        ("min_steps=100", "end"),
        ("**options", "end"),
        ("plugins=[Anything()]", "parallel"),
        ("something_new=3", "model"),
        ("callbacks=[L.pytorch.callbacks.StochasticWeightAveraging(1e-2)]", "rebuild"),
        ("devices=1, logger=False, precision='16-mixed'", ""),
    ],
)
def test_a_setting_of_a_trainer_that_is_not_known_to_be_harmless_is_told(argument, step):
    found = looks(LIGHTNING.replace("ARGUMENT", argument))
    assert [said.partition(":")[0] for said in found.values()] == ([step] if step else [])


def test_lines_that_were_not_understood_are_counted_and_shown(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(f"{HEAD}helpers.attach(net)\n{LOOP}")
    assert score(script, Wishes()).looks == 1
    assert "1 lines not understood: look at them" in text(examine(script))
    (tmp_path / "train.expected.json").write_text('{"model": "wrong", "optimizer": "done"}')
    row = score(script, Wishes())
    assert (row.wrong, row.silent) == (2, 1)  # the model is told by that line, the optimizer by nothing


def test_sizes_that_are_numbers_are_named_with_their_lines():
    said = advice(SCRIPTS / "mnist_plain.py")
    assert "nn.Conv2d(1, 4, 3, 1)  line 14" in said
    assert "no argument: make its width an argument" in said
    assert "Net(4, 8, 2)" in advice(SCRIPTS / "class_trainer.py")


@pytest.mark.parametrize("line", ["torch.save(net, 'net.pt')", "torch.save({'net': net}, 'net.pt')"])
def test_a_network_that_is_pickled_whole_is_told_and_its_weights_are_not(line):
    found = looks(f"{HEAD}{LOOP}    {line}\n")
    assert ["saving" in said and "whole network" in said for said in found.values()] == [True]
    assert not looks(f"{HEAD}{LOOP}    torch.save(net.state_dict(), 'net.pt')\n")


def test_a_loop_around_a_call_that_trains_is_left_to_a_person():
    body = (HEAD.partition("net = Net()")[2] + LOOP).replace("\n", "\n    ")
    text = HEAD.partition("net = Net()")[0] + "def run():\n    net = Net()" + body + "\n"
    said = {call: [s.reason for s in report(text + call).steps if s.name == "model"] for call in CALLS}
    assert [any("trains again in each repetition" in r for r in s) for s in said.values()] == [False, True]


CALLS = ("run()\n", "for fold in range(5):\n    run()\n")


def test_a_best_that_is_kept_both_ways_is_told():
    both = "    best = min(val_loss, best) if task else max(val_loss, best)\n"
    found = looks(f"{HEAD}task, best = 1, 9.0{LOOP}{both}")
    assert [said for said in found.values() if said.startswith("direction") and "max of val_loss" in said]


@pytest.mark.parametrize(
    "made",
    [
        "plans = [torch.optim.lr_scheduler.StepLR(opt, 3)]",
        "plans = {'a': torch.optim.lr_scheduler.StepLR(opt, 3)}",
        "def plan(o):\n    return torch.optim.lr_scheduler.StepLR(o, 3)\ndecay = plan(opt)",
    ],
)
def test_a_scheduler_that_is_not_made_anew_is_told(made):
    assert any("this schedule is made anew" in said for said in looks(HEAD + made + LOOP).values())


def test_a_default_argument_and_a_bound_method_keep_the_old_optimizer():
    default = "def more(old=opt):\n    old.step()\n"
    assert any("`old`" in said for said in looks(HEAD + default + LOOP + "    more()\n").values())
    bound = looks(HEAD + "advance = opt.step" + LOOP + "    advance()\n")
    assert any("what is kept here" in said for said in bound.values())


def test_the_doctor_reads_the_direction_that_it_has_written():
    text = HEAD + LOOP.replace("val_loss", "figure")
    after = report(text, Wishes(metric="figure", better=True)).after
    assert "maximizing_score=True" in after
    assert not report(after, Wishes(metric="figure")).undecided


def test_an_optimizer_of_two_names_and_one_chosen_by_match_are_made_anew_whole():
    line = "opt = torch.optim.SGD(net.parameters(), lr=0.1)\n"
    assert (
        "opt = other = torch.optim.SGD" in report(HEAD.replace("\nopt = ", "\nopt = other = ") + LOOP).after
    )
    for choice in (
        f"match torch.cuda.device_count():\n    case 1:\n        {line}    case _:\n        {line}",
        f"try:\n    {line}except ValueError:\n    {line}",
    ):
        after = report(HEAD.replace(line, choice) + LOOP).after
        assert after.count(choice.splitlines()[0]) == 2
        assert after.count("set_optimizer_instance(opt)") == 2
