"""What is handed to the optimizer is found wherever it is gathered, and gathered again after growth."""

import pytest
from doctor_kit import report
from test_account import HEAD, LOOP

START = HEAD[: HEAD.index("opt = torch")]
GATHERED = {
    "by a loop": """decay, rest = [], []
for name, p in net.named_parameters():
    if p.ndim > 1:
        decay.append(p)
    else:
        rest.append(p)
opt = torch.optim.SGD([{'params': decay}, {'params': rest}], lr=0.1)
""",
    "part by part": """groups = list()
groups.append({'params': net.body.parameters(), 'lr': 1})
groups += [{'params': net.head.parameters(), 'lr': 1}]
opt = torch.optim.SGD(groups, lr=0.1)
""",
    "under another name": """named = list(net.named_parameters())
groups = [{'params': [p for n, p in named if 'bias' not in n]}]
opt = torch.optim.SGD(groups, lr=0.1)
""",
    "by a method of its own": """groups = [{'params': net.get_1x_lr_params()}]
opt = torch.optim.SGD(groups, lr=0.1)
""",
    "by names of its parts": """groups = []
for part in ('body', 'head'):
    groups.append({'params': getattr(net, part).parameters()})
opt = torch.optim.SGD(groups, lr=0.1)
""",
}


@pytest.mark.parametrize("statements", GATHERED.values(), ids=GATHERED)
def test_parameters_are_gathered_again_from_the_grown_network(statements):
    found = report(START + statements + LOOP)
    assert "net = UPA.perforate_model(net," in found.after
    again = found.after[found.after.index("if restructured:") :]
    for line in statements.splitlines():
        assert f"        {line}\n" in again
    assert "set_module_ids_to_perforate" not in found.after


def test_one_branch_of_several_says_which_network_is_trained():
    branches = """if LARGE:
    named = net.named_parameters()
    kept = [p for n, p in named if 'bias' in n]
    opt = torch.optim.SGD(kept, lr=0.1)
else:
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
"""
    text = "LARGE = True\n" + START + branches + LOOP
    assert "".join(f"        {line}\n" for line in branches.splitlines()) in report(text).after


def test_what_gives_the_class_of_an_optimizer_makes_none():
    text = START + "opt_class = get_optimizer('sgd')\nopt = opt_class(net.parameters(), lr=0.1)\n" + LOOP
    assert "GPA.pai_tracker.set_optimizer_instance(opt)\n" in report(text).after


OBJECT = """
class Experiment:
    def __init__(self):
        self.net = Net()

    def make(self):
        sgd = torch.optim.SGD(self.net.parameters(), lr=0.1)
        return sgd

    def fit(self):
        opt = self.make()
        for epoch in range(9):
            step(self.net, opt)
            val_loss = validate(self.net)
"""


def test_an_object_s_network_and_optimizer_may_be_made_in_other_methods():
    found = report(HEAD[: HEAD.index("net = Net()")] + OBJECT).after
    assert "        self.net = UPA.perforate_model(self.net," in found
    assert "                opt = self.make()\n" in found


def test_an_object_s_network_that_another_file_makes_is_told():
    text = HEAD[: HEAD.index("net = Net()")] + OBJECT.replace("        self.net = Net()\n", "        pass\n")
    assert report(text).state("model") == "undecided"
    assert report(text.replace("        pass\n", "        self.net = Net()\n")).state("model") == "missing"


@pytest.mark.parametrize(
    "line, told",
    [("scheduler(opt, 1, epoch, best)", True), ("poly_lr(opt, epoch)", True), ("log(opt)", False)],
)
def test_a_schedule_that_is_handed_the_optimizer_is_told(line, told):
    found = report(f"{HEAD}scheduler = helpers.LR_Scheduler('poly', 0.1)\n{LOOP}    {line}\n")
    assert (found.state("scheduler") == "undecided") is told
