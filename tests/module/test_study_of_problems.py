"""A study of problems: one that fails leaves its traceback, and the others are trained."""

import pytest
from tiny_problem import TinyCNN

from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store


def broken(name: str, **methods):
    return type(name, (TinyCNN,), {"held_as": (f"notebook:{name}", "held"), **methods})()


def raising(self, network, batches):
    raise ZeroDivisionError("no sample was judged")


def no_number(self, network, batch):
    return network(batch[0])


def detached(self, network, batch):
    return network(batch[0]).sum().detach()


CASES = {
    "ZeroDivisionError: no sample was judged": broken("Unjudged", score=raising),
    "is one number, not a tensor of": broken("Vector", loss=no_number),
    "does not depend on what is trained": broken("Constant", loss=detached),
}


@pytest.mark.parametrize("says", CASES)
def test_a_problem_that_raises_is_a_failed_trial_with_its_traceback(says, tmp_path):
    problems = (TinyCNN().reference(), CASES[says].reference())
    study = Study(
        name="some",
        architectures=(),
        problems=problems,
        modes=("none", "hidden"),
        trials=1,
        meta_loops=1,
        learning_rates=(1e-2,),
        batch_size=32,
    )
    store = Store(tmp_path / "some")
    outcome = run_study(prepare(study), store, workers=1)
    assert (outcome.total, outcome.done, outcome.failed) == (4, 2, 2)
    failures = list(store.failures())
    assert {failure["spec"]["problem"]["label"] for failure in failures} == {problems[1].label}
    for failure in failures:
        assert says in failure["traceback"]
        assert failure["traceback"].startswith("Traceback")
