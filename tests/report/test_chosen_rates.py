"""A study says beforehand how its report is made: what is asked, beside what, and at which learning rate."""

from dataclasses import replace

import numpy as np
import pytest

from frustration.errors import InputError
from frustration.metric import Metric
from frustration.report.analysis import analyse
from frustration.report.chosen_rates import choose_rates
from frustration.report.reading import read_study
from frustration.report.sentences import plain_sentences
from frustration.statistics.paired import sign_flip
from frustration.streams import Stream
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

STUDY = """
name = "planned"
architectures = ["[1*6]"]
modes = ["none", "hidden:dose=2", "output", "plain"]
trials = 3
meta_loops = 3
learning_rate = [1e-2, 1e-5]
batch_size = 16
dataset = "rows.npz"
"""
PLAN = """
[analysis]
questions = ["hidden:dose=2"]
control = "plain"
choose_rate = true
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X = Stream(b"a straight line!").uniform(400).reshape(100, 4)
    np.savez("rows.npz", X=X, y=(X[:, 0] + X[:, 1] > 1).astype(np.int64))
    return tmp_path


def run(text: str, folder) -> Store:
    store = Store(folder / "results")
    run_study(prepare(Study.from_toml(text)), store, workers=1)
    return store


def test_the_plan_is_part_of_a_study_and_is_read_back():
    study = Study.from_toml(STUDY + PLAN)
    assert Study.from_toml(study.to_toml()) == study
    assert study.analysis.questions == study.plan.questions == ("hidden:dose=2",)
    assert Study.from_toml(STUDY).to_toml().count("[analysis]") == 0


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ('questions = "hidden"', r"the study, line 11: questions are a list of modes"),
        ('questions = ["full"]', r'\[analysis\] names "full", which is none of the modes'),
        ('control = "noise"', r'\[analysis\] names "noise", which is none of the modes'),
        ("choose_rate = 3", "choose_rate is true or false, not 3"),
        ("chose_rate = true", r'\[analysis\] has no key "chose_rate"'),
    ],
)
def test_what_a_plan_cannot_mean_is_one_sentence(plan, sentence):
    with pytest.raises(InputError, match=sentence):
        Study.from_toml(f"{STUDY}\n[analysis]\n{plan}\n")


def test_among_one_rate_there_is_nothing_to_choose():
    with pytest.raises(InputError, match="choose among learning rates, and the study has one"):
        Study.from_toml(STUDY.replace("[1e-2, 1e-5]", "1e-2") + PLAN)


def test_a_study_that_is_there_keeps_its_questions(folder):
    store = run(STUDY + PLAN, folder)
    with pytest.raises(InputError, match="its analysis differs"):
        store.check(Study.from_toml(STUDY + PLAN.replace("hidden:dose=2", "output")))


def test_each_arm_is_taken_at_the_rate_that_validation_prefers(folder):
    every = read_study(run(STUDY, folder).root)
    chosen = choose_rates(every)
    assert chosen.rates == (1e-5, 1e-2)
    assert len(every.settings) == 2
    assert [setting.name for setting in chosen.settings] == ["rows.npz"]
    for cell in chosen.cells:
        rivals = [one for one in every.cells if one.label == cell.label]
        best = max(rivals, key=lambda one: one.bounty.mean())
        assert cell.learning_rate == best.setting.learning_rate
        assert np.array_equal(cell.test_accuracy, best.test_accuracy)
    assert {cell.learning_rate for cell in chosen.cells} == {1e-2}


@pytest.mark.parametrize("shared", [0.0, 0.9], ids="share of a trial's noise in all its arms {}".format)
def test_a_rate_that_compared_trials_chose_keeps_the_level_of_the_test(shared):
    """Arms that are alike, each at the rate of three that its first four trials of twelve prefer."""
    generator = np.random.default_rng(5)
    found = []
    for _ in range(1000):
        noise = np.sqrt(shared) * generator.normal(size=12)
        bounty = noise + np.sqrt(1 - shared) * generator.normal(size=(2, 3, 12))
        test = 0.9 * bounty + np.sqrt(1 - 0.9**2) * generator.normal(size=bounty.shape)
        arms = [one[np.argmax(seen[:, :4].mean(axis=1))] for one, seen in zip(test, bounty, strict=True)]
        found.append(sign_flip(arms[0] - arms[1]).p)
    assert np.mean(np.array(found) < 0.05) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000)
    assert np.mean(np.array(found) < 0.2) > 0.1  # and it can reject at all


def test_where_lower_is_better_the_lowest_score_is_preferred(folder):
    every = read_study(run(STUDY, folder).root)
    error = Metric("error", "", "lower")
    cells = [replace(cell, setting=replace(cell.setting, problem_metric=error)) for cell in every.cells]
    for cell in choose_rates(replace(every, cells=tuple(cells))).cells:
        rivals = [one for one in every.cells if one.label == cell.label]
        assert cell.learning_rate == min(rivals, key=lambda one: one.bounty.mean()).setting.learning_rate


def test_a_rate_that_is_half_run_is_not_chosen(folder):
    store = run(STUDY, folder)
    best = [r for r in store.records() if r.spec.learning_rate == 1e-2 and r.spec.label == "none"]
    store.record_path(best[0].spec.id).unlink()
    chosen = choose_rates(read_study(store.root))
    assert next(cell for cell in chosen.cells if cell.label == "none").learning_rate == 1e-5


def test_the_report_follows_the_plan_and_says_so(folder):
    results = read_study(run(STUDY + PLAN, folder).root)
    (group,) = analyse(results).groups
    assert {label for label, one in group.comparisons.items() if one.main} == {"hidden:dose=2"}
    assert group.control == "plain"
    about = " ".join(plain_sentences(results, analyse(results)).about)
    assert "the learning rate whose mean bounty on validation is best, of 1e-05, 0.01" in about
    assert "0.01 was chosen for 4 of 4 arms." in about
    assert "Most arms took the largest rate, 0.01" in about
    assert "The study asks about `hidden:dose=2`: these share the error rate" in about
