"""A problem: a network, its data and its score. The rest of the engine is the same for every problem.

    class Digits(frustration.Problem):
        width: int = 16

        def build(self): ...     # a fresh network
        def data(self): ...      # frustration.Parts(train, validation, test)

That is all where samples are `(inputs, targets)`, the loss is cross-entropy and the score is accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from frustration.metric import ACCURACY, Metric
from frustration.references import HELD, ProblemError, ProblemReference

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from frustration.engine.module.shape import ModuleShape
    from frustration.engine.module.units import Units
    from frustration.modes import EpochSettings


@dataclass(frozen=True, eq=False)
class Parts:
    """The data of a problem. A part is tensors or arrays of one length, or anything with `[i]` and `len`."""

    train: Any
    validation: Any
    test: Any = None
    """None: scores of the test set are those of the validation set, and said to be none."""
    collate: Callable[[list[Any]], Any] | None = None
    """Makes a batch of a list of samples; None: as torch's DataLoader does by default."""


@dataclass(frozen=True, eq=False)
class TrainingEpoch:
    """One loop of one network, for a problem that brings a training loop of its own."""

    optimizer: torch.optim.Optimizer
    settings: EpochSettings
    make_batches: Callable[[], Iterator[Any]]
    stopping: Callable[[], None]
    """To be called now and then: it raises if training is to be interrupted."""

    def batches(self) -> Iterator[Any]:
        """The batches of this loop, in its order."""
        for batch in self.make_batches():
            self.stopping()
            yield batch


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _FrozenDataclasses:
    """Every subclass becomes a frozen dataclass whose fields are given by name."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, kw_only=True, eq=False)(cls)


class Problem(_FrozenDataclasses):
    """What a user brings. Annotated attributes are fields; with `version` they identify what was trained.

    Raise `version` when the same fields come to mean another problem.
    """

    version: ClassVar[int] = 1
    metric: ClassVar[Metric] = ACCURACY
    precision: ClassVar[str] = "float32"
    """`bfloat16`: forward passes under autocast."""
    held_as: ClassVar[tuple[str, str | None] | None] = None

    def build(self) -> nn.Module:
        """A fresh network; torch's generator is seeded for the trial."""
        raise ProblemError(f"problem {type(self).__name__} has no method build, to make a network")

    def data(self) -> Parts:
        """Called once per process."""
        raise ProblemError(f"problem {type(self).__name__} has no method data, to train on")

    def loss(self, network: nn.Module, batch: Any) -> Tensor:
        """One number to be minimised."""
        from torch.nn import functional

        inputs, targets = batch
        return functional.cross_entropy(network(inputs), targets)

    def score(self, network: nn.Module, batches: Iterable[Any]) -> float:
        """Of a network in evaluation, without gradients, in the unit of `metric`; NaN: it has no score."""
        correct = total = 0
        for inputs, targets in batches:
            logits = network(inputs)
            if not bool(logits.isfinite().all()):
                return math.nan
            correct += int((logits.argmax(1) == targets).sum())
            total += len(targets)
        return 100 * correct / total

    def further_scores(self, network: nn.Module, batches: Iterable[Any]) -> dict[str, float]:
        """By name, of a kept network; they decide nothing. The report of protocol A / B / C shows them."""
        return {}

    def infer(self, network: nn.Module, batch: Any) -> object:
        """What a user of the network runs, without gradients: this is what latency and memory are of."""
        return self.loss(network, batch)

    def optimizer(self, parameters: list[nn.Parameter], settings: EpochSettings) -> torch.optim.Optimizer:
        """For one loop; mode `decay` acts through `settings.weight_decay`."""
        import torch

        return torch.optim.AdamW(
            parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    def train(self, network: nn.Module, epoch: TrainingEpoch) -> float:
        """Train a network for one loop; the mean loss of its steps."""
        total, steps = 0.0, 0
        for batch in epoch.batches():
            epoch.optimizer.zero_grad()
            loss = self.checked_loss(network, batch)
            loss.backward()
            epoch.optimizer.step()
            total, steps = total + loss.item(), steps + 1
        return total / steps

    def checked_loss(self, network: nn.Module, batch: Any) -> Tensor:
        """`loss`, if it is one number that can be minimised."""
        import torch

        loss = self.loss(network, batch)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            found = f"a tensor of {loss.numel()}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise ProblemError(f"the loss of problem {type(self).__name__} is one number, not {found}")
        if not loss.requires_grad:
            raise ProblemError(
                f"the loss of problem {type(self).__name__} does not depend on what is trained"
            )
        return loss.reshape(())

    def units(self, network: nn.Module, forward: Callable[[], object]) -> Units:
        """The units of the network; found by running it (see `frustration.engine.module.units`).

        `Units(network, forward, heads=[Heads(…)])` makes units of attention heads.
        """
        from frustration.engine.module.units import Units

        return Units(network, forward)

    def growable(self, network: nn.Module) -> Iterable[str] | None:
        """Names of the layers on which dendrites grow; None: every trained one, of a LoRA pair the second."""
        return None

    def copies_frozen(self) -> bool:
        """Whether a dendrite may have frozen weights, redrawn, where a layer of `growable` has some."""
        return False

    def widened(self, parameters: int) -> Problem | None:
        """The problem with a plain network of about so many parameters, for `wide@K`; None: there is none."""
        return None

    def digest(self) -> str | None:
        """What identifies the data; None: a digest of the parts, of large data sets a sample."""
        return None

    # Not for users to change.

    def reference(self) -> ProblemReference:
        return ProblemReference.of(self)

    def shape(self) -> ModuleShape:
        """Of its network as it is built."""
        from frustration.engine.module.shape import shape_of

        return shape_of(self.reference())


def problem(
    build: Callable[[], nn.Module],
    *,
    train: Any,
    validation: Any,
    test: Any = None,
    name: str,
    loss: Callable[[nn.Module, Any], Tensor] | None = None,
    score: Callable[[nn.Module, Iterable[Any]], float] | None = None,
    metric: Metric | None = None,
    version: int = 1,
) -> Problem:
    """A problem from functions and data in memory, as a notebook has them.

    `frustration.problem(build, train=(X, y), validation=(Xv, yv), test=(Xt, yt), name="digits")`. It trains
    in this process. Its identity is the name, the version and the data.
    """
    functions: dict[str, Any] = {"build": lambda self: build()}
    functions["data"] = lambda self: Parts(train, validation, test)
    if loss is not None:
        functions["loss"] = lambda self, network, batch: loss(network, batch)
    if score is not None:
        functions["score"] = lambda self, network, batches: score(network, batches)
    if metric is not None:
        functions["metric"] = metric
    functions |= {"version": version, "held_as": (f"notebook:{name}", HELD), "__module__": __name__}
    functions["__annotations__"] = {}
    made: Problem = type(name, (Problem,), functions)()
    return made
