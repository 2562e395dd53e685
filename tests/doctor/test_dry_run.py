"""`dry-run` measures what reading can only guess; the scoreboard counts."""

import json
import shutil
from pathlib import Path

import pytest
from doctor_kit import SCRIPTS

from frustration.commands.perforate import main
from frustration.errors import FrustrationError
from frustration.integration.dry_run import configuration, dry_run
from frustration.integration.efficiency import study
from frustration.integration.scoreboard import score, scoreboard
from frustration.integration.source import Script
from frustration.integration.steps import STEPS
from frustration.integration.targets import Wishes
from frustration.problems import digits
from frustration.study.definition import Study

pytestmark = pytest.mark.slow


def test_each_layer_is_measured_and_its_configuration_follows():
    layers = {layer.path: layer for layer in dry_run(SCRIPTS / "text_lstm.py", [])}
    assert layers[".project"].axes == (3,)
    assert layers[".classifier"].axes == (2,)
    lines = configuration(list(layers.values()))
    assert "GPA.pc.set_output_dimensions([-1, -1, 0])" in lines
    assert 'model.get_submodule("classifier").set_this_output_dimensions([-1, 0])' in lines


def test_a_problem_is_measured_by_one_step_of_its_own():
    layers = {layer.path: layer for layer in dry_run("digits:Digits", [])}
    assert {path: layer.axes for path, layer in layers.items()} == {
        ".0": (4,),
        ".4": (4,),
        ".9": (2,),
        ".11": (2,),
    }
    assert not any(layer.excluded for layer in layers.values())


def test_a_problem_becomes_a_study_of_smaller_networks(tmp_path):
    file = tmp_path / "my_digits.py"
    file.write_text(Path(digits.__file__).read_text())
    text = study(Script.read(file), file)
    made = Study.from_toml(text, folder=tmp_path)
    assert [str(p) for p in made.problems] == ["my_digits:Digits", "my_digits:Digits(channels=4)"]
    assert made.modes == ("plain", "early-stop", "dendrites", "wide@1")


def test_tied_frozen_and_unused_layers_are_left_out(tmp_path):
    (tmp_path / "train.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.embed = nn.Embedding(5, 4)\n"
        "        self.frozen = nn.Linear(4, 4).requires_grad_(False)\n"
        "        self.free = nn.Linear(4, 4)\n"
        "        self.spare = nn.Linear(4, 4)\n"
        "        self.out = nn.Linear(4, 5, bias=False)\n"
        "        self.out.weight = self.embed.weight\n"
        "        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)\n"
        "    def forward(self, x):\n"
        "        x = self.free(self.frozen(self.embed(x)))\n"
        "        return self.out(self.attention(x, x, x)[0])\n"
        "net = Net()\n"
        "net(torch.zeros(2, 3, dtype=torch.long)).sum().backward()\n"
        "raise SystemExit('it continued')\n"
    )
    layers = {layer.path: layer.excluded for layer in dry_run(tmp_path / "train.py", [])}
    assert layers[".free"] == ""
    assert "frozen" in layers[".frozen"]
    assert "not used" in layers[".spare"]
    assert "tied" in layers[".out"]
    assert [path for path, why in layers.items() if not why] == [".free"]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("print('nothing is trained')\n", "ended before anything was trained"),
        ("raise ValueError('no data')\n", "ValueError: no data"),
        ("import sys\nsys.exit(3)\n", "left with 3"),
    ],
)
def test_a_script_that_trains_nothing_is_told_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "train.py").write_text(text)
    with pytest.raises(FrustrationError, match=sentence):
        dry_run(tmp_path / "train.py", [])


def test_the_scoreboard_counts_against_a_truth_beside_the_script(tmp_path, capsys):
    shutil.copy(SCRIPTS / "vae.py", tmp_path / "vae.py")
    shutil.copy(SCRIPTS / "gan.py", tmp_path / "gan.py")
    (tmp_path / "bad.py").write_text("for in x:\n")
    truth = dict.fromkeys(STEPS, "missing") | {"scheduler": "not needed", "parallel": "not needed"}
    truth |= {"saving": "not needed", "score": "undecided"}
    (tmp_path / "vae.expected.json").write_text(json.dumps(truth))
    rows, summary = scoreboard(tmp_path, Wishes())
    assert [row.kind for row in rows] == ["unreadable", "adversarial networks", "plain loop"]
    assert (rows[2].right, rows[2].wrong) == (len(STEPS), 0)
    assert f"of {len(STEPS)} known steps {len(STEPS)} are right (100.0 %)" in summary
    (tmp_path / "vae.expected.json").write_text(json.dumps(truth | {"direction": "done"}))
    assert score(tmp_path / "vae.py", Wishes()).remark == "direction: missing, not done"
    assert main(["scoreboard", str(tmp_path)]) == 1
    assert "1 wrong" in capsys.readouterr().out
    (tmp_path / "vae.expected.json").write_text('{"something": "done"}')
    assert main(["scoreboard", str(tmp_path)]) == 2
