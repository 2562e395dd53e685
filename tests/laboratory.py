"""What tests of training share: trials trained in groups, without files, and compared to the bit."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from frustration import LoopEntry, TrialSpec
from frustration.dataset import Split
from frustration.engine.backends import why_not_native
from frustration.engine.group import Group, plan
from frustration.engine.loop import train_group
from frustration.engine.native import NativeBackend
from frustration.engine.population import Backend, Epoch, Population, Populations, Runs
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend
from frustration.engine.trial import Trial
from frustration.modes import EpochSettings
from frustration.network import Network, Shape
from frustration.streams import Streams

BATCH = 64
QUICK = {"batch_size": BATCH, "learning_rate": 3e-3}
"""Settings under which a few loops of a small network on a few images learn something."""


def backends() -> list[Backend]:
    """Every backend that runs here; the native one wants a compiler."""
    here: list[Backend] = [ReferenceBackend(), TorchBackend()]
    return here if why_not_native() else [*here, NativeBackend()]


def spec_of(architecture: str, mode: str, **fields) -> TrialSpec:
    return TrialSpec.of(architecture, mode, **{**QUICK, "meta_loops": 3, **fields})


def fresh(spec: TrialSpec, data: Split) -> Trial:
    return Trial.fresh(spec, spec.shape(data.features, data.classes))


def trained(
    specs: Sequence[TrialSpec],
    data: Split,
    backend: Backend | None = None,
    observe: Callable[[Trial, LoopEntry], None] = lambda trial, entry: None,
) -> list[Trial]:
    """Trials at their ends, trained in the groups that the planner makes of them."""
    backend = backend or TorchBackend()
    trials = [fresh(spec, data) for spec in specs]
    for group in plan(trials, backend):
        train_group(group, backend, data, observe, threading.Event())
    return trials


def populations_of(group: Group, data: Split, backend: Backend) -> Populations:
    batch_size = next(iter(group.trials.values())).spec.batch_size

    def make(shape: Shape, runs: Runs) -> Population:
        return backend.population(shape, runs, data, batch_size)

    return Populations(make, group.runs, whole=backend.depends_on_group)


def epoch_of(spec: TrialSpec, samples: int, loop: int = 1, moments=None) -> Epoch:
    """The epoch of a loop in which nothing is damaged, as the meta-loop plans it."""
    streams = Streams(spec.seed, spec.trial, spec.architecture)
    settings = EpochSettings(learning_rate=spec.learning_rate)
    for mode in spec.program.at(loop).components:
        settings = mode.training(settings)
    return Epoch(
        order=streams.order(loop, samples),
        settings=settings,
        dropout_key=streams.dropout_key(loop),
        moments=moments,
    )


def same_bits(left, right) -> bool:
    """Of two arrays, or of two networks of one shape."""
    if isinstance(left, Network):
        return left.shape == right.shape and same_bits(left.vector, right.vector)
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def scores(trial: Trial) -> list[tuple]:
    """What a curve says, without what its treatments say of themselves."""
    return [(e.loop, e.loss, e.before, e.accuracy, e.accepted, e.new_bounty, e.adopted) for e in trial.curve]


def distance(left, right) -> float:
    return float(np.abs(left.astype(np.float64) - right.astype(np.float64)).max())
