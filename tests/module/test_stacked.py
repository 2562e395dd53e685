"""Networks of a problem that train as one are what the plain loop makes of each, whoever shares the stack."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import CNN, normal
from tiny_problem import Regression, TinyCNN, TinyLora, TinyTransformer, labelled, parts
from torch import nn

import frustration
from frustration import TrialSpec
from frustration.engine.backends import MODULE, STACKED, choose
from frustration.engine.group import Group, plan, write_numerics
from frustration.engine.loop import train_group
from frustration.engine.module.data import data_of
from frustration.engine.module.population import ModuleBackend, ModulePopulation
from frustration.engine.module.shape import shape_of
from frustration.engine.module.stacked import StackedBackend, StackedPopulation, why_not_stacked
from frustration.engine.population import Epoch
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.modes import EpochSettings
from frustration.problems.digits import Digits
from frustration.study.before_a_run import plain_loops
from frustration.study.definition import Study
from frustration.study.run import prepare
from frustration.study.store import Store
from frustration.study.verify import verify
from frustration.testing.trials import same_bits, scores

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SLOTS, BATCH = 4, 32
QUICK = {"batch_size": BATCH, "learning_rate": 1e-2, "meta_loops": 3}


class DigitsMLP(Digits):
    def build(self) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


def problem_of(module: type[nn.Module], **methods):
    """A problem with another network, or with other methods."""
    name = "".join([module.__name__, *methods])
    made = {"build": lambda self: module(), "held_as": (f"notebook:{name}", "held"), **methods}
    return type(name, (TinyCNN,), made)()


class Dropping(CNN):
    def __init__(self) -> None:
        super().__init__()
        self.thin = nn.Dropout(0.2)

    def forward(self, x):
        return self.thin(super().forward(x))


class Deciding(CNN):
    def forward(self, x):
        return super().forward(x if x.mean() > 0 else -x)


class Idle(CNN):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)


class Counting(CNN):
    """What it computes depends on the samples of the whole batch through a call that vmap sees otherwise."""

    def forward(self, x):
        return super().forward(x) * (1.0 + x.dim() * torch._C._functorch.is_batchedtensor(x))


def own_training(self, network, epoch):
    return 0.0


def own_optimizer(self, parameters, settings):
    return torch.optim.SGD(parameters, lr=settings.learning_rate)


def as_list(self):
    x = normal(1, 240, 1, 8, 8)
    whole = parts(x, labelled(x))
    return replace(whole, train=list(zip(*whole.train, strict=True)))


def population(kind, problem, slots: int = SLOTS):
    reference = problem.reference()
    shape = shape_of(reference)
    made = kind(shape, slots, data_of(reference), BATCH, CPU)
    for slot in range(slots):
        made.load(slot, shape.vector_of(shape.layout.build(slot)))
    return made


def epochs(problem, slots=range(SLOTS), moments=None, **settings) -> dict[int, Epoch]:
    samples = data_of(problem.reference()).samples
    return {
        slot: Epoch(
            order=np.random.default_rng(slot).permutation(samples)[:96],
            settings=EpochSettings(**{"learning_rate": 1e-3, **settings}),
            dropout_key=5,
            moments=moments[slot] if moments else None,
        )
        for slot in slots
    }


def tensors(one, other, slot: int):
    """(name, one's, the other's) of every tensor in a slot."""
    ours, theirs = (p.shape.view(p.weights(slot)).to_state() for p in (one, other))
    return [(name, ours[name], theirs[name]) for name in ours]


def train(population, epochs) -> list[float]:
    return population.train(epochs, threading.Event())


@pytest.mark.parametrize("problem", [DigitsMLP(), TinyTransformer(), TinyLora()])
def test_an_epoch_of_the_stack_is_an_epoch_of_the_plain_loop(problem):
    plain, stacked = population(ModulePopulation, problem), population(StackedPopulation, problem)
    for wanted in (epochs(problem), epochs(problem, weight_decay=0.1)):
        assert train(stacked, wanted) == pytest.approx(train(plain, wanted), rel=1e-5)
    for slot in range(SLOTS):
        for name, ours, theirs in tensors(stacked, plain, slot):
            if not name.endswith("in_proj_bias"):  # the keys' bias has no gradient but rounding
                np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=name)
    assert stacked.evaluate("validation") == pytest.approx(plain.evaluate("validation"), abs=2)


def test_with_batchnorm_losses_and_statistics_are_those_of_the_plain_loop():
    # A bias before BatchNorm has no gradient but rounding, of which AdamW makes steps: it is left out.
    problem = Digits(channels=4, hidden=8)
    plain, stacked = population(ModulePopulation, problem), population(StackedPopulation, problem)
    wanted = epochs(problem)
    assert train(stacked, wanted) == pytest.approx(train(plain, wanted), rel=1e-4)
    for slot in range(SLOTS):
        for name, ours, theirs in tensors(stacked, plain, slot):
            if name not in ("0.bias", "4.bias", "1.running_mean", "5.running_mean"):
                np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-4, err_msg=name)
            if name.endswith("num_batches_tracked"):
                assert ours == 3


def test_an_optimizer_that_continues_and_settings_of_each_trial():
    problem = DigitsMLP()
    plain, stacked = population(ModulePopulation, problem), population(StackedPopulation, problem)
    for one in (plain, stacked):
        train(one, epochs(problem))
    memory = [plain.moments(slot) for slot in range(SLOTS)]
    for slot in range(SLOTS):
        assert stacked.moments(slot).steps == memory[slot].steps == 3
        np.testing.assert_allclose(stacked.moments(slot).mean, memory[slot].mean, atol=1e-6)
    wanted = epochs(problem, (0, 1), memory) | epochs(problem, (3,), weight_decay=0.5)
    for one in (plain, stacked):
        train(one, wanted)
    for slot in wanted:
        np.testing.assert_allclose(stacked.weights(slot), plain.weights(slot), atol=1e-4)
        assert stacked.moments(slot).steps == (3 if slot == 3 else 6)


def test_a_loop_with_dropout_is_the_plain_loop_inside_the_stack():
    problem = Digits(channels=4, hidden=8)
    plain, stacked = population(ModulePopulation, problem), population(StackedPopulation, problem)
    wanted = epochs(problem, (0, 1)) | epochs(problem, (2,), dropout=0.3)
    losses = train(plain, wanted)
    assert train(stacked, wanted)[2] == pytest.approx(losses[2], rel=1e-6)
    np.testing.assert_allclose(stacked.weights(2), plain.weights(2), atol=1e-4)


@pytest.mark.parametrize("problem", [DigitsMLP(), Digits(channels=4, hidden=8)])
def test_bits_do_not_depend_on_the_neighbours(problem):
    together, alone = population(StackedPopulation, problem), population(StackedPopulation, problem)
    for slot in (0, 2, 3):
        alone.load(slot, np.full(alone.shape.size, np.nan, np.float32))
    losses, one = train(together, epochs(problem)), train(alone, epochs(problem, (1,)))
    assert losses[1] == one[1]
    assert same_bits(together.weights(1), alone.weights(1))


def trials_of(problem, *modes: str, trials: int = 2, **fields) -> list[Trial]:
    reference = problem.reference()
    given = {**QUICK, "dataset": reference.dataset, **fields}
    specs = [TrialSpec.of(reference, mode, trial=t, **given) for t in range(trials) for mode in modes]
    return [Trial.fresh(spec, spec.shape(0, 0)) for spec in specs]


def run(trials, backend) -> list[Group[Trial]]:
    groups = plan(trials, backend)
    for group in groups:
        data = data_of(backend.reference)
        train_group(group, backend, data, lambda trial, entry: None, threading.Event())
    return groups


def units_of(entry) -> dict:
    """What each mode took; how much that was is rounding."""
    return {mode: evidence.get("units") for mode, evidence in entry.evidence.items()}


def test_modes_act_on_a_slice_and_the_numbers_are_those_of_the_plain_loop():
    modes = ("none", "hidden", "plain", "decay", "dropout", "dendrites:switch_mode=every:max_dendrites=1")
    backend = StackedBackend(DigitsMLP().reference())
    plain, stacked = (trials_of(DigitsMLP(), *modes, trials=1, learning_rate=1e-3) for _ in range(2))
    run(plain, ModuleBackend(backend.reference))
    (group,) = run(stacked, backend)
    assert group.layout.slots == len(modes)
    for ours, theirs in zip(stacked, plain, strict=True):
        assert ours.numerics["backend"] == STACKED
        assert [units_of(e) for e in ours.curve] == [units_of(e) for e in theirs.curve]
        assert [e.loss for e in ours.curve] == pytest.approx([e.loss for e in theirs.curve], rel=1e-3)
        assert [e.accuracy for e in ours.curve] == pytest.approx([e.accuracy for e in theirs.curve], abs=2)


def test_a_trial_continues_alone_in_its_slot_to_the_same_bits():
    problem, modes = Digits(channels=4, hidden=8), ("none", "hidden")
    backend = StackedBackend(problem.reference())
    whole = trials_of(problem, *modes)
    run(whole, backend)
    cut = trials_of(problem, *modes, meta_loops=1)
    (group,) = run(cut, backend)
    for slot, trial in group.members.items():
        trial.spec = whole[0].spec.__class__.from_dict({**trial.spec.to_dict(), "meta_loops": 3})
        alone = Group(group.layout, {slot: trial})
        write_numerics(alone, backend)
        train_group(alone, backend, data_of(backend.reference), lambda t, e: None, threading.Event())
        twin = next(one for one in whole if one.spec.id == trial.spec.id)
        assert scores(trial) == scores(twin)
        assert same_bits(trial.lkg.vector, twin.lkg.vector)


@pytest.mark.parametrize(
    ("slots", "dendrites", "kind"),
    [("ff", 0, ModulePopulation), ("fff", 1, ModulePopulation), ("fff", 0, StackedPopulation)],
)
def test_the_plain_loop_trains_what_has_grown_and_stacks_that_would_be_slower(slots, dendrites, kind):
    reference = DigitsMLP().reference()
    shape = shape_of(reference)
    shape = shape.with_dendrites((dendrites,) * len(shape.dendrites))
    made = StackedBackend(reference).population(shape, [slots], data_of(reference), BATCH)
    assert type(made) is kind


@pytest.mark.parametrize("problem", [DigitsMLP(), Digits(), TinyCNN(), TinyTransformer(), TinyLora()])
def test_what_can_be_stacked(problem):
    assert why_not_stacked(problem.reference(), "cpu") is None


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (problem_of(Dropping), "its module thin (Dropout) draws random numbers in training"),
        (problem_of(Deciding), "data-dependent control flow"),
        (problem_of(Idle), "unused"),
        (problem_of(Counting), "as a stack is not that of the plain loop"),
        (problem_of(CNN, train=own_training), "a training loop of its own"),
        (Regression(), "an optimizer of its own"),
        (problem_of(CNN, data=as_list), "is a data set, and stacking takes tensors"),
    ],
)
def test_what_cannot_be_stacked_is_said_in_one_sentence(problem, says):
    found = why_not_stacked(problem.reference(), "cpu")
    assert found is not None
    assert says in found
    assert "\n" not in found


def study_of(*problems, **fields) -> Study:
    return Study(
        name="some",
        problems=tuple(problem.reference() for problem in problems),
        modes=("none", "hidden"),
        trials=2,
        meta_loops=2,
        learning_rates=(1e-2,),
        batch_size=32,
        stacked=True,
        **fields,
    )


def test_a_study_says_which_problem_is_not_stacked_and_is_verified_in_the_same_way(tmp_path, capsys):
    study = study_of(Digits(channels=4, hidden=8), problem_of(Dropping))
    assert Study.from_toml(study_of(Digits()).to_toml()).stacked
    given = {"modes": study.modes, "trials": 2, "meta_loops": 2, "learning_rate": 1e-2, "batch_size": 32}
    problems = [problem.problem() for problem in study.problems]
    outcome = frustration.study(
        problems=problems, stacked=True, name="some", results=tmp_path, threads=1, progress=False, **given
    )
    said = capsys.readouterr().err
    assert said == "".join(f"warning: {one}\n" for one in plain_loops(prepare(study)))
    assert "using the plain loop: its module thin" in said
    assert (outcome.done, outcome.failed) == (8, 0)
    store = Store(tmp_path / "some")
    kept = [store.record(one).numerics for one in store.ids()[0]]
    assert sorted(one["backend"] for one in kept) == [MODULE] * 4 + [STACKED] * 4
    found = verify(store, 8)
    assert found.passed
    assert all(check.same_numerics for check in found.checks)


def test_train_says_which_way_it_goes_and_continues_that_way(tmp_path, capsys):
    given = {"until": 2, "trials": 3, "learning_rate": 1e-2, "progress": False, "threads": 1}
    notes = []
    for name, problem in (("taken", Digits(channels=4, hidden=8)), ("not", problem_of(Dropping))):
        place = tmp_path / name

        def note(event):
            if hasattr(event, "notes"):
                notes.append((event.backend, [n for n in event.notes if "plain loop" in n]))

        frustration.train(problem, stacked=True, model_dir=place, emit=note, **given)
        frustration.train(problem, model_dir=place, emit=note, **{**given, "until": 3})
    assert [backend for backend, _ in notes] == [STACKED, STACKED, MODULE, MODULE]
    assert [bool(said) for _, said in notes] == [False, False, True, False]
    assert [line for line in capsys.readouterr().err.splitlines() if "plain loop" in line] == [
        f"note: {notes[2][1][0]}"
    ]


def test_a_simple_mlp_is_not_stacked_in_this_way():
    with pytest.raises(InputError, match="is for problems"):
        choose(STACKED, "cpu", None)
    with pytest.raises(InputError, match="is for problems"):
        replace(study_of(Digits()), problems=()).check()
    with pytest.raises(InputError, match="leave backend"):
        frustration.train(Digits(), stacked=True, backend=MODULE)
