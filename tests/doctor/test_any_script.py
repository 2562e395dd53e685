"""Properties of every edit, over scripts that are put together at random."""

import ast
import difflib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.integration.examine import examine_script
from frustration.integration.source import Script
from frustration.integration.targets import Wishes

NETWORKS = (
    "torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))",
    "Net(hidden=8).to(device)",
    "torch.nn.DataParallel(Net(hidden=8))",
)
OPTIMIZERS = (
    "torch.optim.SGD({net}.parameters(), lr=lr)",
    "torch.optim.AdamW(\n    [p for p in {net}.parameters() if p.requires_grad],  # trained\n    lr=lr,\n)",
    "make_optimizer({net}, lr)",
)
SCHEDULERS = ("", "scheduler = torch.optim.lr_scheduler.StepLR({opt}, step_size=3)")
LOOPS = (
    "for epoch in range(epochs):",
    "for epoch in range(1, epochs + 1):",
    "while epoch < epochs:",
    "while True:",
)
SCORES = (
    "val_acc = evaluate({net})",
    "val_loss, val_acc = check({net})",
    "evaluate({net})  # printed",
    "metrics = measure({net})",
    "figure = unknown({net})",
)
BEST = ("", "if val_loss < best:\n    best = val_loss", "print(epoch)")
HEAD = '''"""A script."""
import torch


class Net(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.a = torch.nn.Linear(2, hidden)
        self.b = torch.nn.Linear(hidden, 2)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


def make_optimizer(net, lr):
    return torch.optim.Adam(net.parameters(), lr=lr)


def evaluate(net):
    net.eval()
    with torch.no_grad():
        correct = (net(torch.ones(4, 2)).argmax(1) == 0).sum().item()
    print(100 * correct / 4)
    return correct / 4


def check(net):
    net.eval()
    return 0.1, evaluate(net)


def measure(net):
    net.eval()
    return {"val_f1": evaluate(net), "n": 4}


def unknown(net):
    net.eval()
    return net(torch.ones(4, 2)).mean().item()


device = torch.device("cpu")
'''


def indented(text: str, by: str) -> str:
    return "".join(by + line if line.strip() else line for line in text.splitlines(keepends=True))


@st.composite
def scripts(draw) -> str:
    net, opt = draw(st.sampled_from(["net", "model"])), draw(st.sampled_from(["opt", "optimizer"]))
    step = draw(st.sampled_from(["  ", "    ", "\t"]))
    names = {"net": net, "opt": opt}
    body = [
        "lr, epochs, best, epoch, val_loss = 0.1, 9, 9.0, 0, 1.0",
        f"{net} = {draw(st.sampled_from(NETWORKS))}",
        f"{opt} = {draw(st.sampled_from(OPTIMIZERS)).format(**names)}",
        draw(st.sampled_from(SCHEDULERS)).format(**names),
        draw(st.sampled_from(LOOPS)),
    ]
    loop = [
        f"{net}.train()  # again",
        f"{opt}.zero_grad()",
        f"{net}(torch.ones(4, 2)).sum().backward()",
        f"{opt}.step()",
        draw(st.sampled_from(SCORES)).format(**names),
        draw(st.sampled_from(BEST)),
        "epoch += 1",
    ]
    text = "\n".join([*filter(None, body), indented("\n".join(filter(None, loop)), step)]) + "\n"
    if draw(st.booleans()):
        text = "def main():\n" + indented(text, step) + "\n\nif __name__ == '__main__':\n" + step + "main()\n"
    return HEAD + text


WISHES = st.sampled_from(
    [Wishes(), Wishes(target="frustration"), Wishes(intervention="ablate", target="frustration")]
)


@settings(max_examples=40)
@given(scripts(), WISHES)
def test_an_edit_parses_is_made_once_and_touches_only_its_own_lines(source, wishes):
    ast.parse(source)
    report = examine_script(Script(source), wishes)
    assert not report.refused
    assert report.changed != bool(report.undecided)
    ast.parse(report.after)
    assert examine_script(Script(report.after), wishes).after == report.after
    removed = [
        line[2:].strip()
        for line in difflib.ndiff(source.splitlines(), report.after.splitlines())
        if line.startswith("- ")
    ]
    assert len(removed) <= 3
    assert all(
        line.startswith(("for ", "while ", "evaluate(", "net = torch.nn.D", "model = torch.nn.D"))
        for line in removed
    )


def test_a_pipe_in_place_of_a_script_makes_nobody_wait(tmp_path):
    os.mkfifo(tmp_path / "train.py")
    with pytest.raises(InputError, match="cannot be read: it is a pipe or a device, not a file"):
        Script.read(tmp_path / "train.py")
