"""A study of problems: one that fails leaves its traceback, and the others are trained."""

import linecache
import sys
from dataclasses import replace

import pytest
import torch
from tiny_problem import TinyCNN

import frustration
from frustration.engine.module import data as module_data
from frustration.errors import FrustrationError
from frustration.record_reading import read_failure
from frustration.runners.events import TrialFailed
from frustration.study.before_a_run import before_a_run
from frustration.study.definition import Study
from frustration.study.estimate import estimate
from frustration.study.run import prepare, run_study
from frustration.study.store import Store
from frustration.study.verify import verify
from frustration.terminal.study_tables import estimate_line, own_lines


def broken(name: str, **methods):
    return type(name, (TinyCNN,), {"held_as": (f"notebook:{name}", "held"), **methods})()


def raising(self, network, batches):
    raise ZeroDivisionError("no sample was judged")


def no_number(self, network, batch):
    return network(batch[0])


def detached(self, network, batch):
    return network(batch[0]).sum().detach()


def unbuilt(self):
    raise ValueError("no such checkpoint")


def lost(self):
    raise FileNotFoundError("points.csv is missing")


def narrow(self, parameters):
    raise KeyError("width")


def study_of(*problems, modes=("none", "hidden"), trials=1) -> Study:
    return Study(
        name="some",
        architectures=(),
        problems=tuple(problem.reference() for problem in problems),
        modes=modes,
        trials=trials,
        meta_loops=1,
        learning_rates=(1e-2,),
        batch_size=32,
    )


CASES = {
    "ZeroDivisionError: no sample was judged": broken("Unjudged", score=raising),
    "is one number, not a tensor of": broken("Vector", loss=no_number),
    "does not depend on what is trained": broken("Constant", loss=detached),
}


@pytest.mark.parametrize("says", CASES)
def test_a_problem_that_raises_is_a_failed_trial_with_its_traceback(says, tmp_path):
    study = study_of(TinyCNN(), CASES[says])
    store = Store(tmp_path / "some")
    outcome = run_study(prepare(study), store, workers=1)
    assert (outcome.total, outcome.done, outcome.failed) == (4, 2, 2)
    failures = list(store.failures())
    assert {failure["spec"]["problem"]["label"] for failure in failures} == {study.problems[1].label}
    for failure in failures:
        assert says in failure["traceback"]
        assert failure["traceback"].startswith("Traceback")


BEFORE_TRAINING = {
    "cannot be built: ValueError: no such checkpoint": broken("Unbuilt", build=unbuilt),
    "cannot be had: FileNotFoundError: points.csv is missing": broken("Lost", data=lost),
}


@pytest.mark.parametrize("says", BEFORE_TRAINING)
def test_a_problem_that_raises_before_training_fails_its_own_trials_and_no_others(says, tmp_path):
    study = study_of(TinyCNN(), BEFORE_TRAINING[says])
    store, events = Store(tmp_path / "some"), []
    prepared = prepare(study)
    (warning,) = before_a_run(prepared, store, None)
    assert warning.endswith(f"{says}, so 2 trials fail")
    outcome = run_study(prepared, store, emit=events.append)
    assert (outcome.total, outcome.done, outcome.failed) == (4, 2, 2)
    failures = list(store.failures())
    assert {one["id"] for one in failures} == {e.trial_id for e in events if isinstance(e, TrialFailed)}
    for failure in failures:
        assert failure["spec"]["problem"]["label"] == study.problems[1].label
        first, place, *_, last = failure["traceback"].splitlines()
        assert first.startswith("Traceback")
        assert __file__ in place  # in the problem's own code, and not in ours
        assert last.endswith(says)
    assert verify(store, 2).passed
    again = run_study(prepare(study), store, emit=events.append)
    assert (again.done, again.failed) == (2, 2)
    assert sum(isinstance(event, TrialFailed) for event in events) == 2


def test_when_the_data_can_be_had_again_all_trials_are_trained_and_the_failures_are_gone(
    tmp_path, monkeypatch
):
    file = tmp_path / "points.pt"

    def data(self):
        torch.load(file)
        return TinyCNN().data()

    study, store = study_of(broken("Filed", data=data)), Store(tmp_path / "some")
    assert run_study(prepare(study), store).failed == 2
    store.write_failure("0" * 16, {}, "of another program")
    torch.save(0, file)
    outcome = run_study(prepare(study), store)
    assert (outcome.total, outcome.done, outcome.failed) == (2, 2, 0)
    assert store.ids()[1] == {"0" * 16}
    monkeypatch.setattr(module_data, "_data", {})
    file.unlink()
    (sentence,) = verify(store, 1).impossible
    assert "cannot be had: FileNotFoundError" in sentence
    run_study(prepare(study), store)
    assert len(own_lines(study, store)) == 2  # what is done stays done without its data


def test_a_network_that_cannot_be_built_for_one_trial_fails_that_trial(tmp_path):
    def unlucky(self):
        if torch.initial_seed() % 2:
            raise RuntimeError("an unlucky draw")
        return TinyCNN().build()

    study, store = study_of(broken("Unlucky", build=unlucky), modes=("none",), trials=8), Store(tmp_path)
    outcome = run_study(prepare(study), store)
    assert outcome.done + outcome.failed == 8
    assert outcome.done >= 1
    assert outcome.failed >= 1
    assert all("an unlucky draw" in failure["traceback"] for failure in store.failures())


def test_a_problem_that_raises_in_one_mode_fails_in_that_mode(tmp_path):
    study, store = study_of(broken("Narrow", widened=narrow), modes=("none", "wide@1")), Store(tmp_path)
    assert run_study(prepare(study), store).done == 1
    (failure,) = store.failures()
    assert failure["spec"]["mode"] == "wide"
    assert failure["traceback"].endswith("cannot be widened: KeyError: 'width'")


def test_what_raises_in_training_is_in_no_estimate_which_says_so():
    prepared = prepare(study_of(TinyCNN(), broken("Vector", loss=no_number)))
    found = estimate(prepared, prepared.groups, workers=1)
    assert [cost.seconds > 0 for cost in found.costs] == [
        "TinyCNN" in cost.architecture for cost in found.costs
    ]
    ((raised, trials),) = found.unmeasured.items()
    assert "Vector" in raised
    said = f"; without {trials} trials of {raised}, which cannot be measured"
    assert estimate_line(found).endswith(said)
    measured = replace(found, costs=tuple(cost for cost in found.costs if cost.seconds))
    assert "without" not in estimate_line(measured)


def test_a_finished_trial_whose_problem_raises_by_now_cannot_be_verified_and_says_so(tmp_path, monkeypatch):
    problem = broken("Once")
    store = Store(tmp_path)
    run_study(prepare(study_of(TinyCNN(), problem, modes=("none",))), store)
    monkeypatch.setattr(type(problem), "loss", no_number)
    found = verify(store, 2)
    assert len(found.checks) == 1
    assert not found.passed
    (sentence,) = found.impossible
    assert "the loss of problem Once is one number, not a tensor of" in sentence
    monkeypatch.setattr(type(problem), "loss", lambda self, network, batch: batch[7])
    (sentence,) = verify(store, 2).impossible
    assert "cannot be run again: IndexError" in sentence


def fails_under_dropout(self, network, epoch):
    if epoch.settings.dropout:
        raise ArithmeticError("no dropout here")
    return frustration.Problem.train(self, network, epoch)


def test_a_comparison_keeps_the_traceback_of_a_failed_trial_and_trains_the_others(tmp_path, capsys):
    problem = broken("Dry", train=fails_under_dropout)
    settings = {"until": 1, "learning_rate": 1e-2, "batch_size": 32, "model_dir": tmp_path}
    outcome = frustration.train(problem, ["none", "dropout"], trials=2, **settings)
    assert [record.spec.label for record in outcome.records] == ["none", "none"]
    assert [failed.spec.label for failed in outcome.failed] == ["dropout", "dropout"]
    assert "ArithmeticError: no dropout here" in capsys.readouterr().err
    for failed in outcome.failed:
        kept = read_failure(failed.files.failure.read_bytes(), failed.spec.id)
        assert kept["traceback"] == failed.traceback
        assert kept["traceback"].startswith("Traceback")
    with pytest.raises(FrustrationError, match=r"the trial failed: .* no such checkpoint \(traceback in "):
        frustration.train(broken("Unbuilt", build=unbuilt), "none", **settings)
    assert list(tmp_path.glob("*.failed.json"))


def test_after_its_code_is_fixed_a_trial_that_failed_in_its_first_loop_trains(tmp_path):
    file = tmp_path / "mine.py"
    text = (
        "from tiny_problem import TinyCNN\n\n\n"
        "class Mine(TinyCNN):\n"
        "    def score(self, network, batches):\n"
        "        return {}\n"
    )
    settings = {"until": 1, "learning_rate": 1e-2, "batch_size": 32, "model_dir": tmp_path / "models"}
    file.write_text(text.format("1 / 0"))
    with pytest.raises(FrustrationError, match="ZeroDivisionError"):
        _in_a_fresh_process(file, settings)
    file.write_text(text.format("super().score(network, batches)"))
    _in_a_fresh_process(file, settings)
    assert not list((tmp_path / "models").glob("*.failed.json"))
    assert list((tmp_path / "models").glob("*.record.json"))


def _in_a_fresh_process(file, settings) -> None:
    """As far as the problem's module is concerned."""
    from frustration import references
    from frustration.engine.module import data, population, shape

    for known in (data._data, shape._layouts, references._held):
        known.clear()
    population.code_digest.cache_clear()
    references._module_of_file.cache_clear()
    for name in [n for n in sys.modules if n.startswith("frustration_problem_")]:
        del sys.modules[name]
    linecache.clearcache()
    frustration.train(f"{file}:Mine", "none", **settings)
