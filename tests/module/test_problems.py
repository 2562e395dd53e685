"""A problem of one's own trains through the same meta-loop: every mode, every checkpoint, the same bits."""

import json
import os
import re
import shutil
import threading

import numpy as np
import pandas
import pytest
import torch
from networks import CNN, Attention, normal
from tiny_problem import Regression, TinyCNN, TinyLora, TinyTransformer
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.data import DataLoader, TensorDataset

import frustration
from frustration import TrialSpec
from frustration.checkpoint import CheckpointFiles
from frustration.engine.group import plan
from frustration.engine.loop import train_group
from frustration.engine.module import shape
from frustration.engine.module.data import data_of
from frustration.engine.module.heads import Heads
from frustration.engine.module.population import ModuleBackend
from frustration.engine.module.units import Units
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.modes import ModeError, mode_named, mode_names
from frustration.modes.base import LoopContext
from frustration.modes.renewal import renew
from frustration.references import ProblemReference
from frustration.saved import pack_lkg
from frustration.streams import Streams
from frustration.testing.trials import same_bits, scores

QUICK = {"batch_size": 32, "learning_rate": 1e-2, "meta_loops": 3}
PROBLEMS = [TinyCNN, TinyTransformer, TinyLora]
MODES = [mode for mode in mode_names() if mode != "wide"]
DOSED = [mode for mode in MODES if mode_named(mode).dose_knob]
DAMAGING = [mode for mode in MODES if mode_named(mode).damages]


def trained(problem, *modes: str, observe=lambda trial, entry: None, **fields) -> list[Trial]:
    reference = problem.reference()
    data = data_of(reference)
    specs = [
        TrialSpec.of(reference, mode, **{**QUICK, "dataset": reference.dataset, **fields}) for mode in modes
    ]
    trials = [Trial.fresh(spec, spec.shape(0, 0)) for spec in specs]
    backend = ModuleBackend(reference)
    for group in plan(trials, backend):
        train_group(group, backend, data, observe, threading.Event())
    return trials


def possible(problem, mode: str) -> bool:
    try:
        TrialSpec.of(problem().reference(), mode).check(0)
    except ModeError:
        return False
    return True


def intervention(problem, mode: str, loop: int = 2, dendrites: int = 0):
    """(network before, network after, evidence) of a mode's intervention alone."""
    reference = problem().reference()
    shape = reference.shape()
    shape = shape.with_dendrites((dendrites,) * len(shape.dendrites))
    stream = Streams(0, 0, reference).stream("noise", 1)
    before = shape.view(stream.normal(shape.size).astype(np.float32))
    context = LoopContext(Streams(0, 0, reference), loop, data_of(reference).probe(20))
    after = before.copy()
    return before, after, mode_named(mode)().intervene(after, context)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_at_dose_0_every_mode_is_its_control_to_the_bit(problem):
    zero = [f"{mode}:{mode_named(mode).dose_knob}=0" for mode in DOSED if possible(problem, mode)]
    control, *treated = trained(problem(), "none", *zero, meta_loops=2)
    assert len(treated) >= 3
    for trial in treated:
        assert scores(trial) == scores(control), trial.spec.label
        assert same_bits(trial.lkg.vector, control.lkg.vector)


@pytest.mark.parametrize("dendrites", [0, 2])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_evidence_tells_the_truth_about_the_weights(problem, dendrites):
    for mode in ("full", "hidden", "output"):
        if not possible(problem, mode):
            assert (problem, mode) == (TinyLora, "output")  # the rows of B are heard by nobody but the output
            continue
        before, after, evidence = intervention(problem, mode, dendrites=dendrites)
        difference = before.vector.astype(np.float64) - after.vector
        assert evidence["removed"] == pytest.approx(float(np.linalg.norm(difference)), rel=1e-6)
        assert evidence["removed"] > 0
        assert not after.vector[difference != 0].any()
        (name, unit), shape = evidence["units"][0], after.shape
        layer = shape.layout.unit_layers.index(name)
        parts = [*after.incoming(layer, unit), *(after.outgoing(layer, unit) if mode == "hidden" else ())]
        assert sum(part.size for part in parts) == (difference != 0).sum()


class Attending(TinyTransformer):
    def build(self) -> nn.Module:
        return Attention()

    def units(self, network, forward):
        return Units(network, forward, heads=[Heads(queries="q", keys="k", values="v", count=2)])


def test_modes_act_on_whole_heads_where_a_problem_says_so():
    taken = trained(Attending(), "hidden:dose=10:selector=lowest-utility", "full:dose=14", "redo:tau=9")
    for trial, most in zip(taken, (10, 14, 10), strict=True):
        (evidence,) = trial.curve[1].evidence.values()
        units = evidence.get("units") or evidence["renewed"]
        assert len(units) == most
        assert [unit for layer, unit in sorted(units) if layer == "v"] == [0, 1]
        assert {layer for layer, _ in units} <= {"v", "o", "out"}
    sizes = {name: units for name, units, _ in taken[0].shape.layer_sizes()}
    assert sizes == {"q": 8, "k": 8, "v": 2, "o": 8, "out": 4}


def test_a_renewed_channel_of_a_grown_network_has_fresh_weights_a_fresh_norm_and_silent_dendrites():
    reference = TinyCNN().reference()
    shape, streams = reference.shape(), Streams(0, 0, reference)
    grown = shape.with_dendrites((1,) * len(shape.dendrites))
    network = grown.view(np.ones(grown.size, np.float32))
    renew(network, [(0, 2)], LoopContext(streams, 2, None))
    now, fresh = network.to_state(), shape.view(shape.initial(streams.stream("init", 2))).to_state()
    for name in ("weight", "bias"):
        assert np.array_equal(now[f"c1.neuron.{name}"][2], fresh[f"c1.{name}"][2])
        assert now[f"b1.{name}"][2] == fresh[f"b1.{name}"][2]
        assert not now[f"c1.dendrites.0.{name}"][2].any()
    assert not now["c1.tops"][:, 2].any()


@pytest.mark.parametrize("problem", [TinyCNN, Regression])
def test_the_lkg_never_gets_worse_and_is_the_network_that_was_scored(problem):
    for trial in trained(problem(), *(m for m in ("none", "hidden", "plain", "noise", "restart"))):
        better = trial.spec.metric.beats
        best = None
        for entry in trial.curve:
            assert entry.new_bounty == (best is None or better(entry.accuracy, best))
            best = entry.accuracy if entry.new_bounty else best
        assert trial.bounty == best
        backend = ModuleBackend(problem().reference())
        population = backend.population(trial.lkg.shape, ("f",), data_of(problem().reference()), 32)
        population.load(0, trial.lkg.vector)
        assert population.evaluate("validation") == [trial.bounty]


def test_every_mode_trains_the_same_bits_again_and_leaks_nothing_to_the_next():
    alone = [trained(TinyCNN(), mode)[0] for mode in MODES]
    together = trained(TinyCNN(), *reversed(MODES))[::-1]
    for one, other in zip(alone, together, strict=True):
        assert scores(one) == scores(other), one.spec.label
        assert same_bits(one.lkg.vector, other.lkg.vector)
        assert [e.evidence for e in one.curve] == [e.evidence for e in other.curve]


@pytest.mark.parametrize("mode", ["hidden", "plain", "dendrites:switch_mode=every", "hidden/persist-masked"])
@pytest.mark.parametrize("problem", [TinyCNN, TinyLora, Regression])
def test_a_trial_that_is_kept_after_every_loop_continues_to_the_same_bits(problem, mode, tmp_path):
    files = CheckpointFiles(tmp_path / "kept" / "t")
    files.stem.parent.mkdir()

    def keep(trial, entry):
        files.save(trial, lkg_too=False)
        shutil.copytree(files.stem.parent, tmp_path / f"after {entry.loop}")

    (whole,) = trained(problem(), mode, observe=keep)
    reference = problem().reference()
    backend = ModuleBackend(reference)
    for loop in (1, 2):
        trial = CheckpointFiles(tmp_path / f"after {loop}" / "t").resumed()
        assert trial.loop == loop
        (group,) = plan([trial], backend)
        train_group(group, backend, data_of(reference), lambda trial, entry: None, threading.Event())
        assert scores(trial) == scores(whole)
        assert same_bits(trial.lkg.vector, whole.lkg.vector)
        assert pack_lkg(trial) == pack_lkg(whole)


def test_dendrites_grow_on_convolutions_and_the_record_says_so():
    (trial,) = trained(TinyCNN(), "dendrites:switch_mode=every", meta_loops=4)
    last, bare = trial.record().curve[-1], TinyCNN().shape()
    assert last.dendrites >= 1
    assert last.parameters > bare.parameters
    assert last.flops > bare.flops
    grown = trial.base.shape.module()
    trial.base.shape.load(grown, trial.base.vector)
    x = normal(9, 3, 1, 8, 8)
    traced = torch.jit.trace(grown.eval(), x)
    torch.testing.assert_close(traced(x), grown(x))


def test_what_is_saved_loads_into_plain_pytorch():
    (trial,) = trained(TinyCNN(), "none")
    state = {name: torch.from_numpy(values.copy()) for name, values in trial.lkg.to_state().items()}
    network = CNN()
    assert set(network.state_dict()) == set(state)
    network.load_state_dict(state)
    x, y = TinyCNN().data().validation
    assert 100 * int((network.eval()(x).argmax(1) == y).sum()) / len(y) == trial.bounty


def test_frozen_weights_are_never_in_the_vector_and_never_change():
    shape = TinyLora().shape()
    assert all("lora" in name for name in shape.names)
    assert all("lora_B" in name for name in shape.layout.growing)
    network = shape.module()
    frozen = {n: p.clone() for n, p in network.named_parameters() if not p.requires_grad}
    population = ModuleBackend(shape.reference).population(shape, ("f",), data_of(shape.reference), 32)
    (trial,) = trained(TinyLora(), "hidden")
    population.load(0, trial.lkg.vector)
    after = dict(population.networks[0].named_parameters())
    assert all(torch.equal(after[name], values) for name, values in frozen.items())


def test_loops_in_steps_go_on_where_the_last_one_left_off():
    reference = TinyCNN().reference()
    spec = TrialSpec.of(reference, "none", loop_steps=3, dataset="x", **QUICK)
    trial = Trial.fresh(spec, spec.shape(0, 0))
    seen = []
    for loop in range(5):
        trial.loop = loop
        seen.append(trial.order(120))
    assert [len(order) for order in seen] == [96] * 5
    whole = np.concatenate(seen)
    assert sorted(whole[:120]) == list(range(120))
    assert sorted(whole[120:240]) == list(range(120))
    assert spec.id != TrialSpec.of(reference, "none", dataset="x", **QUICK).id
    assert TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_a_file_and_a_class_in_hand_are_the_same_problem(tmp_path):
    import tiny_problem

    named = ProblemReference.parse(f"{tiny_problem.__file__}:TinyCNN(noise=0.5)")
    assert named == TinyCNN(noise=0.5).reference()
    assert named.label == "tiny_problem:TinyCNN(noise=0.5)"
    assert ProblemReference.from_dict(json.loads(json.dumps(named.to_dict()))) == named
    assert named != TinyCNN().reference()
    assert TrialSpec.of(named, "none").id != TrialSpec.of(TinyCNN().reference(), "none").id


def test_names_and_places_are_no_part_of_an_id_and_versions_are():
    class First(TinyCNN):
        held_as = ("notebook:one", "held")

    class Second(First):
        version = 2

    class Renamed(First):
        metric = frustration.Metric("hits")

    ids = [TrialSpec.of(kind().reference(), "none").id for kind in (First, Second, Renamed)]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("digits:Digts", "did you mean Digits?"),
        ("digits:Digits(chanels=3)", "has no field chanels (did you mean channels?)"),
        ("digits:Digits(channels='a')", "channels is of type int, and 'a' is not"),
        ("digits:Digits(channels=1.5)", "channels is of type int, and 1.5 is not"),
        ("digits:Digits(3)", "every field is given by its name"),
        ("nowhere.py:Mine", "there is no file nowhere.py"),
        ("nowhere:Mine", 'there is no module "nowhere"'),
        (
            "digitz:Digits",
            "(did you mean digits?); a file is written as digitz.py:Class, and built-in problems",
        ),
        ("digits:", "is not written as file.py:Class"),
    ],
)
def test_what_cannot_be_found_is_named_in_one_sentence(text, says):
    with pytest.raises(InputError) as refusal:
        ProblemReference.parse(text)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_file_of_python_is_named_and_not_waited_for(tmp_path):
    (tmp_path / "README.md").write_text("# no problem")
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "hole.py").touch()
    os.truncate(tmp_path / "hole.py", 2**37)
    for text, says in {
        "README.md:X": "README.md is not a Python file; problems are imported from files that end in .py",
        "folder.py:X": "no problem can be imported from folder.py: Is a directory",
        "pipe.py:X": "no problem can be imported from pipe.py: it is a pipe or a device, not a file",
        "hole.py:X": "no problem can be imported from hole.py: it has 137,438,953,472 bytes, more than",
    }.items():
        with pytest.raises(InputError) as refusal:
            ProblemReference.parse(text, folder=tmp_path)
        assert str(refusal.value).startswith(says)


def grown_relu(self):
    return nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(64, 4))


class Broken(TinyCNN):
    held_as = ("notebook:broken", "held")


def test_what_a_problem_cannot_mean_is_refused_in_one_sentence():
    def of(name, **methods):
        return type(name, (Broken,), {"held_as": (f"notebook:{name}", "held"), **methods})()

    x, y = normal(1, 10, 1, 8, 8), torch.zeros(10, dtype=torch.long)
    parts = frustration.Parts
    frozen = CNN().requires_grad_(False)
    cases = {
        "has no parameter that is trained": of("frozen", build=lambda self: frozen),
        "build returns a torch.nn.Module, not 3": of("number", build=lambda self: 3),
        "cannot be built: ValueError: no such checkpoint": of("raising", build=raising),
        "has no validation part": of("unjudged", data=lambda self: parts((x, y), None)),
        "train is empty": of("empty", data=lambda self: parts((x[:0], y[:0]), (x, y))),
        "have different lengths": of("uneven", data=lambda self: parts((x, y[:3]), (x, y))),
        "is a DataLoader; give the data set in it": of(
            "loader", data=lambda self: parts(torch.utils.data.DataLoader([1, 2]), (x, y))
        ),
        "train is a tuple of Tensor, list; give tensors or arrays": of(
            "list", data=lambda self: parts((x, y.tolist()), (x, y))
        ),
        "train is a data frame; give arrays": of(
            "frame", data=lambda self: parts(pandas.DataFrame({"a": [1.0]}), (x, y))
        ),
        "cannot be run (its data is float64, and networks are float32): RuntimeError": of(
            "double", data=lambda self: parts((x.double(), y), (x, y))
        ),
        "data returns frustration.Parts, not tuple": of("pair", data=lambda self: (x, y)),
        "training samples is no number: nan": of("nan", loss=lambda self, n, b: n(b[0]).sum() * torch.nan),
        "training samples is no number: None": of("forgets", loss=lambda self, n, b: None),
        "0.weight has no size before the network runs": of(
            "lazy", build=lambda self: nn.Sequential(nn.LazyConv2d(2, 3), nn.Flatten(), nn.Linear(72, 4))
        ),
        "build returns a TorchScript module": of("scripted", build=lambda self: torch.jit.script(CNN())),
        "no dendrite can grow on 1: ReLU does not say how many units": of(
            "odd", build=grown_relu, growable=lambda self, network: iter(["1"])
        ),
        "has no method build": type("Nothing", (frustration.Problem,), {"data": Broken.data})(),
        "has no method data": type("Nothing", (frustration.Problem,), {"build": Broken.build})(),
        "growable names nothing.here": of("growing", growable=lambda self, network: ["nothing.here"]),
    }
    for says, problem in cases.items():
        with pytest.raises(InputError) as refusal:
            problem.shape()
        assert says in str(refusal.value)
        assert "\n" not in str(refusal.value)
    with pytest.raises(InputError, match="is one number, not a tensor of 10"):
        trained(of("vector", loss=lambda self, network, batch: network(batch[0]).flatten()[:10]), "none")
    with pytest.raises(InputError, match="score returns a number, not 'good'"):
        trained(of("praising", score=lambda self, network, batches: "good"), "none")
    with pytest.raises(InputError, match="train returns a number, not None"):
        trained(of("silent", train=lambda self, network, epoch: None), "none")
    with pytest.raises(ModeError, match="has no wider self"):
        TrialSpec.of(TinyCNN().reference(), "wide@1").check(0)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def test_a_mode_without_a_unit_says_what_the_network_has_instead():
    cases = {
        "has no hidden unit that is trained; units of rnn (LSTM) are not found": (TinyTransformer, Recurrent),
        "the readers of 0 read other units too, or have no weights to take": (
            TinyCNN,
            lambda: nn.Sequential(
                nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 4, 6), nn.Flatten()
            ),
        ),
    }
    for says, (kind, network) in cases.items():
        methods = {
            "held_as": (f"notebook:{kind.__name__}", "held"),
            "build": lambda self, made=network: made(),
        }
        problem = type("Odd", (kind,), methods)()
        with pytest.raises(ModeError, match=re.escape(says)):
            TrialSpec.of(problem.reference(), "hidden").check(0)
        TrialSpec.of(problem.reference(), "full").check(0)


def normed(norm):
    """An MLP whose second layer computes its weight from other parameters."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 4)
    )
    network[3] = norm(network[3])
    return network


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_layer_whose_weight_is_computed_has_no_units_and_grows_dendrites(norm):
    methods = {
        "held_as": (f"notebook:{norm.__module__}.{norm.__name__}", "held"),
        "build": lambda self: normed(norm),
    }
    problem = type("Normed", (TinyCNN,), methods)()
    shape = problem.shape()
    assert list(shape.layout.units.all) == ["1", "5"]
    assert shape.layout.units.hidden == {}  # of layer 1 the columns that hear it are no parameters
    assert shape.layout.growing == ["1", "3", "5"]
    with pytest.raises(ModeError, match=r"units of 3 \(ParametrizedLinear\) are not found"):
        TrialSpec.of(problem.reference(), "hidden").check(0)
    for mode in ("full", "dendrites:switch_mode=every"):
        assert trained(problem, mode)[0].bounty is not None


def compiled(self):
    """In Python's own words: neither a C compiler nor a minute is needed."""
    return torch.compile(CNN(), backend="eager")


@pytest.mark.parametrize("mode", ["hidden", "dropout:p=0.5", "redo", "dendrites:switch_mode=every"])
def test_a_compiled_network_trains_the_bits_of_the_network_that_is_in_it(mode, monkeypatch):
    kind = type("Fast", (TinyCNN,), {"held_as": (f"notebook:{mode}", "held")})

    def run() -> list[tuple[Trial, list[int]]]:
        trials = [trained(kind(), one)[0] for one in ("none", mode)]
        return [(trial, list(kind().shape().layout.units.hidden.values())) for trial in trials]

    as_written = run()
    monkeypatch.setattr(kind, "build", compiled)
    monkeypatch.setattr(shape, "_layouts", {})
    for (one, units), (other, same_units) in zip(as_written, run(), strict=True):
        assert units == same_units
        assert scores(one) == scores(other)
        assert np.array_equal(one.lkg.vector, other.lkg.vector)
    (control, _), (treated, _) = as_written
    assert scores(control) != scores(treated)


class OwnLoader(TinyCNN):
    """Trains on batches of its own, as somebody else's trainer does."""

    held_as = ("notebook:own", "held")

    def train(self, network, epoch):
        loader = DataLoader(TensorDataset(*self.data().train), 32, shuffle=True, num_workers=2)
        losses = []
        for batch in loader:
            epoch.optimizer.zero_grad()
            loss = self.loss(network, batch)
            loss.backward()
            epoch.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)


def test_dropout_acts_in_a_training_loop_that_takes_its_batches_from_a_loader_with_workers():
    plain, dropped, again = (
        [entry.loss for entry in trained(OwnLoader(), mode)[0].curve]
        for mode in ("none", "dropout:p=0.5", "dropout:p=0.5")
    )
    assert plain != dropped
    assert dropped == again


def raising(self):
    raise ValueError("no such checkpoint")


def test_a_problem_of_a_notebook_trains_and_resumes(tmp_path):
    x, y = TinyCNN().data().train
    problem = frustration.problem(
        CNN, train=(x.numpy(), y), validation=(x[:40], y[:40]), test=(x, y), name="mine"
    )
    first = frustration.train(
        problem, ["none", "hidden"], trials=1, until=1, model_dir=tmp_path, learning_rate=1e-2, batch_size=32
    )
    second = frustration.train(
        problem, ["none", "hidden"], trials=1, until=3, model_dir=tmp_path, learning_rate=1e-2, batch_size=32
    )
    assert [record.loop for record in first.records + second.records] == [1, 1, 3, 3]
    whole = frustration.train(
        problem,
        ["none", "hidden"],
        trials=1,
        until=3,
        model_dir=tmp_path / "b",
        learning_rate=1e-2,
        batch_size=32,
    )
    for one, other in zip(second.records, whole.records, strict=True):
        assert [e.to_dict() for e in one.curve] == [e.to_dict() for e in other.curve]
        assert one.test_accuracy == other.test_accuracy


def test_without_a_test_part_there_is_no_test_score():
    class Untested(TinyCNN):
        held_as = ("notebook:untested", "held")

        def data(self):
            whole = super().data()
            return frustration.Parts(whole.train, whole.validation)

    (trial,) = trained(Untested(), "none", meta_loops=1)
    assert trial.record().test_accuracy is None


def test_a_network_that_diverges_leaves_no_trace():
    class Wild(TinyCNN):
        held_as = ("notebook:wild", "held")

        def loss(self, network, batch):
            return super().loss(network, batch) * (float("nan") if network.training else 1.0)

    (trial,) = trained(Wild(), "none", meta_loops=1)
    assert trial.curve[0].diverged
    assert trial.bounty is None


def test_a_simple_mlp_given_as_a_problem_equals_the_reference_backend_to_the_bit(data):
    """One meaning of every mode, whoever trains."""
    from frustration.engine.module.shape import ModuleShape
    from frustration.engine.reference import ReferenceBackend
    from frustration.testing.trials import fresh, spec_of
    from frustration.testing.trials import trained as by_architecture

    modes = [
        "none",
        "decay:weight_decay=1",
        "dropout",
        "full",
        "hidden",
        "output",
        "noise",
        "plain",
        "restart",
    ]
    modes += ["dendrites:switch_mode=every", "hidden:dose=0.3/persist-masked", "early-stop"]
    settings = {"batch_size": 64, "learning_rate": 3e-3, "meta_loops": 3}
    specs = [spec_of("[1*6, 1*5]", mode, **settings) for mode in modes]
    expected = by_architecture(specs, data, ReferenceBackend())
    pixels = torch.from_numpy(data.pixel_values)

    class AsModule(frustration.Problem):
        held_as = ("notebook:as_module", "held")

        def build(self) -> nn.Module:
            return frustration.SimpleMLP("[1*6, 1*5]", data.features, data.classes)

        def data(self):
            parts = (getattr(data, name) for name in ("train", "validation", "test"))
            return frustration.Parts(
                *((pixels[torch.from_numpy(p.images).long()], torch.from_numpy(p.labels)) for p in parts)
            )

        def optimizer(self, parameters, epoch):
            return torch.optim.AdamW(
                parameters, lr=epoch.learning_rate, weight_decay=epoch.weight_decay, foreach=False
            )

    reference = AsModule().reference()
    bare = fresh(specs[0], data).shape
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        # The streams and the first weights of the architecture, drawn by its names.
        patched.setattr(ModuleShape, "initial", lambda shape, stream: bare.initial(stream))
        patched.setattr(ProblemReference, "__str__", lambda self: "[1*6, 1*5]")
        backend = ModuleBackend(reference)
        for spec, theirs in zip(specs, expected, strict=True):
            own = TrialSpec.of(reference, spec.label, **settings)
            trial = Trial.fresh(own, own.shape(0, 0))
            (group,) = plan([trial], backend)
            train_group(group, backend, data_of(reference), lambda trial, entry: None, threading.Event())
            assert scores(trial) == scores(theirs), spec.label
            if not theirs.lkg.shape.grown:
                assert same_bits(trial.lkg.vector, theirs.lkg.vector)
