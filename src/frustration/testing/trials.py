"""Trials trained in memory, without files, and compared to the bit."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from frustration.dataset import Split, load
from frustration.engine.backends import why_not_native
from frustration.engine.group import Group, plan
from frustration.engine.loop import train_group
from frustration.engine.population import Backend, Population, Populations
from frustration.engine.reference import ReferenceBackend
from frustration.engine.slots import SlotLayout
from frustration.engine.torch import TorchBackend
from frustration.engine.trial import Trial
from frustration.network import Network, Shape
from frustration.record import LoopEntry
from frustration.spec import TrialSpec

BATCH = 64
QUICK: dict[str, Any] = {"batch_size": BATCH, "learning_rate": 3e-3}
"""Settings under which a few loops of a small network on a few images learn something."""


@functools.cache
def small_mnist() -> Split:
    """The first 640 / 300 / 300 images of MNIST: ten batches of 64."""
    return load("mnist").head(640, 300, 300)


def backends() -> list[Backend]:
    """Every backend that runs on this CPU; the native one needs a compiler."""
    here: list[Backend] = [ReferenceBackend(), TorchBackend()]
    if why_not_native():
        return here
    from frustration.engine.native import NativeBackend

    return [*here, NativeBackend()]


def spec_of(architecture: str, mode: str, **fields: Any) -> TrialSpec:
    """A spec with the quick settings and three loops, except for the fields that are given."""
    return TrialSpec.of(architecture, mode, **{**QUICK, "meta_loops": 3, **fields})


def fresh(spec: TrialSpec, data: Split) -> Trial:
    """A trial before its first loop."""
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


def populations_of(group: Group[Trial], data: Split, backend: Backend) -> Populations:
    """Empty populations for a group's trials."""
    batch_size = group.first.spec.batch_size

    def make(shape: Any, layout: SlotLayout) -> Population:
        return backend.population(shape, layout, data, batch_size)

    return Populations(make, group.layout, whole=backend.depends_on_group)


def same_bits(left: Any, right: Any) -> bool:
    """Of two arrays, or of two networks of one shape."""
    if isinstance(left, Network):
        return left.shape == right.shape and same_bits(left.vector, right.vector)
    alike: bool = left.dtype == right.dtype and left.shape == right.shape
    return alike and left.tobytes() == right.tobytes()


def scores(trial: Trial) -> list[tuple[Any, ...]]:
    """A trial's curve without what its treatments say of themselves."""
    return [(e.loop, e.loss, e.before, e.accuracy, e.accepted, e.new_bounty, e.adopted) for e in trial.curve]


def accuracy_of(network: Network, data: Split) -> float:
    """Validation accuracy in percent, by the reference."""
    shape: Shape = network.shape
    population = ReferenceBackend().population(shape, ("f",), data, BATCH)
    population.load(0, network.vector)
    return 100 * population.evaluate("validation")[0] / len(data.validation)
