"""Built-in problems train to an end, on data sets by name."""

from pathlib import Path

import numpy as np
import pytest
from test_problems import trained
from torch import nn

import frustration
from frustration.dataset.split import Part, Split, pixel_values
from frustration.errors import InputError
from frustration.problems.digits import Digits
from frustration.problems.images import CNN, ResNet
from frustration.references import MODULES, ProblemReference
from frustration.spec import TrialSpec

SIDES = {"mnist": (1, 28), "fashion-mnist": (1, 28), "cifar-10": (3, 32)}


def made_up(name: str) -> Split:
    """A few images of the size that those of this name have."""
    channels, side = SIDES[name]
    draws = np.random.default_rng(0)

    def part(count: int) -> Part:
        images = draws.integers(0, 256, (count, channels * side * side), dtype=np.uint8)
        return Part(images, np.arange(count) % 10, 10)

    return Split.of(name, part(60), part(20), part(20), pixel_values(0.5, 0.5))


@pytest.mark.parametrize("kind", [CNN, ResNet])
def test_a_cnn_and_a_resnet_learn_mnist(kind, monkeypatch):
    small = frustration.load_dataset("mnist").head(600, 200, 200)
    monkeypatch.setattr(frustration, "load_dataset", lambda name: {"mnist": small}[name])
    problem = type(f"{kind.__name__}600", (kind,), {"held_as": (f"notebook:{kind.__name__}600", "held")})
    for trial in trained(problem(width=4), "none", "hidden", meta_loops=3, learning_rate=5e-3):
        record = trial.record()
        assert record.loop == 3
        assert record.test_accuracy is not None
        assert record.test_accuracy > 20.0  # chance is 10
        assert trial.spec.label == "none" or record.curve[1].evidence["hidden"]["removed"] > 0


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar-10"])
@pytest.mark.parametrize("kind", [CNN, ResNet])
def test_they_fit_the_other_data_sets_by_name(kind, name, monkeypatch):
    monkeypatch.setattr(frustration, "load_dataset", made_up)
    path = f"notebook:{kind.__name__} {name}"
    problem = type(kind.__name__, (kind,), {"held_as": (path, "held")})(dataset=name, width=2)
    (trial,) = trained(problem, "none", meta_loops=1)
    assert trial.record().test_accuracy is not None
    first = next(one for one in problem.build().modules() if isinstance(one, nn.Conv2d))
    assert first.in_channels == SIDES[name][0]


def test_data_that_are_not_here_are_one_sentence(monkeypatch):
    monkeypatch.setattr("frustration.dataset.places.places", lambda entry, folder=None: [])
    monkeypatch.setattr("frustration.dataset.places.fetch_all", unreachable)
    with pytest.raises(InputError) as refusal:
        ProblemReference.parse("images:CNN(dataset='fashion-mnist', width=3)").shape()
    assert "fashion-mnist: not on this machine, and the download failed" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_modules_that_come_along_are_those_with_problems_in_them():
    files = Path(frustration.problems.__path__[0]).glob("*.py")
    assert sorted(one.stem for one in files if "Problem):" in one.read_text()) == sorted(MODULES)


@pytest.mark.parametrize("problem", [Digits(), CNN()])
def test_what_chance_scores_is_the_share_of_the_largest_class(problem):
    """On validation or test, whichever is more."""
    parts = problem.data()
    shares = [np.bincount(targets).max() / len(targets) for _, targets in (parts.validation, parts.test)]
    assert problem.metric.chance == problem.reference().metric.chance == pytest.approx(100 * max(shares))
    assert CNN(dataset="of-mine.npz").metric.chance is None


def test_a_trial_continues_when_its_problem_has_learnt_what_chance_scores():
    fields = Digits().reference().to_dict()
    before = ProblemReference.from_dict({**fields, "metric": {**fields["metric"], "chance": None}})
    assert before != Digits().reference()
    assert before.problem().channels == Digits().channels


def unreachable(*_) -> None:
    from frustration.dataset.download import Unreachable

    raise Unreachable("no network")


def test_a_wider_self_has_about_the_parameters_that_dendrites_would_cost():
    plain = TrialSpec.of(Digits().reference(), "none").shape(0, 0)
    wanted = plain.with_dendrites((1,) * len(plain.dendrites)).parameters
    wide = TrialSpec.of(Digits().reference(), "wide@1").shape(0, 0)
    assert wide.reference != plain.reference
    assert abs(wide.parameters - wanted) / wanted < 0.1
    (trial,) = trained(Digits(), "wide@1", meta_loops=1)
    assert trial.record().parameters == wide.parameters
