"""Dendrite growth in a user's own training loop.

growth = Growth(network)
growth.set_optimizer(optimizer, scheduler)      # from now on they follow the network
for epoch in itertools.count():
    train(network, optimizer); scheduler.step()
    if growth.add_score(validate(network)).complete:
        break
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import Decision, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.module.dendritic import Dendritic, dendrites_of, set_dendrites
from frustration.engine.module.growing import Growing
from frustration.engine.module.layers import layer_of
from frustration.errors import InputError, did_you_mean
from frustration.loops.optimizers import Companions
from frustration.loops.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a controller is asked about: the next dendrite on every unit of the layers that grow."""

    epoch: int
    """Scores told so far, the present one included."""
    scores: tuple[float, ...]
    """All of them."""
    dendrites: int
    """On each unit so far."""
    why: str


Controller = Callable[[Proposal], bool]
"""Whether a dendrite that the schedule wants is added. Where it is not, training continues unchanged."""


class Growth:
    """A network that grows dendrites where its score no longer improves. It stays the same object."""

    def __init__(
        self,
        network: nn.Module,
        *,
        layers: Iterable[str] | None = None,
        maximize: bool = True,
        controller: Controller | None = None,
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        """`layers`: by name; default: every trained linear and convolution layer that can grow.

        `settings` are those of `frustration.dendrites.Settings`, such as `n_epochs_to_switch=5`. New
        dendrites are drawn from torch's own generator or, with `seed`, from one of their own.
        """
        given = {"maximizing_score": maximize} | settings
        axes = can_grow(network)
        if layers is not None:
            axes = {name: _axis(network, name) for name in layers}
        if not axes:
            raise InputError("the network has no trained linear or convolution layer that could grow")
        draws = None if seed is None else GrowthDraws.seeded(seed)
        self.network = network
        self.growing = Growing(network, axes, Settings.of(given), draws=draws)
        self.controller = controller
        self.companions: Companions | None = None
        self.scores: list[float] = []
        self.extra: list[dict[str, float]] = []
        """Scores that decide nothing, one table per call of `add_score`."""
        self.best: float | None = None
        self._watched: _Watched | None = None
        # A checkpoint that was written after growth then loads as what it is.
        network.register_load_state_dict_pre_hook(self._fit)

    @property
    def dendrites(self) -> dict[str, int]:
        """On each unit, by layer."""
        return self.growing.dendrites

    @property
    def schedule(self) -> Schedule:
        return self.growing.schedule

    def set_optimizer(self, optimizer: torch.optim.Optimizer, scheduler: Any = None) -> None:
        """Let these follow the network: after growth they hold its parameters and start anew, in place."""
        self.companions = Companions(self.network, optimizer, scheduler)

    def add_score(self, score: float, **extra: float) -> Outcome:
        """Tell the validation score after a loop; the network may grow, or go back to its best.

        `extra` scores, such as `test=0.91`, are kept and decide nothing.
        """
        if self._watched is not None:
            self._watched.check()
            self._watched = None
        improved = self.best is None or (score > self.best) == self.growing.settings.maximizing_score
        self.scores.append(float(score))
        self.extra.append(extra)
        event = self.growing.observe(score, self._approves if self.controller else None)
        if improved:
            self.best = float(score)
        changed = event != "train"
        if changed and self.companions is not None:
            self.companions.restart()
        elif event == "grown":
            self._watched = _Watched(self.network)
        return Outcome(
            score=float(score),
            best=float(score) if self.best is None else self.best,
            improved=improved,
            grown=changed,
            complete=event == "done",
            why=self.growing.why,
        )

    def _fit(self, module: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
        own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        fit(self.network, own, self.growing.settings.pai_forward_function)

    def _approves(self, decision: Decision) -> bool:
        assert self.controller is not None
        return self.controller(
            Proposal(
                epoch=len(self.scores),
                scores=tuple(self.scores),
                dendrites=max(self.dendrites.values()),
                why=decision.why,
            )
        )

    def state_dict(self) -> dict[str, Any]:
        """What to save beside the network: how it has grown, and where its schedule stands."""
        return self.growing.state_dict() | {
            "scores": list(self.scores),
            "extra": list(self.extra),
            "best": self.best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` returned. Call this before the optimizer's state is loaded.

        The network gets the form that it had when it was saved; an optimizer that was handed over follows.
        """
        self.growing.load_state_dict(state)
        self.scores, self.extra = list(state["scores"]), list(state["extra"])
        self.best = state["best"]
        if self.companions is not None:
            self.companions.restart()


class _Watched:
    """Whether the user's optimizer trains the new parameters."""

    def __init__(self, network: nn.Module) -> None:
        layers = [module for module in network.modules() if isinstance(module, Dendritic)]
        self._new = [(layer.tops, layer.tops.detach().clone()) for layer in layers]
        old = [p for layer in layers for p in layer.neuron.parameters() if p.requires_grad]
        self._old = [(parameter, parameter.detach().clone()) for parameter in old]

    def check(self) -> None:
        """InputError where the network was trained after growth and its new dendrites were not."""
        if _changed(self._old) and not _changed(self._new):
            raise InputError(
                "the network has grown, and the optimizer trains none of what is new: make a new one from "
                "network.parameters() whenever add_score says grown, or hand yours to set_optimizer"
            )


def _changed(pairs: Iterable[tuple[Tensor, Tensor]]) -> bool:
    return any(not torch.equal(now, before) for now, before in pairs)


def can_grow(network: nn.Module) -> dict[str, int]:
    """The layers that may get dendrites, and where the units are in what each returns.

    Trained linear and convolution layers, except
    - layers that share a weight with another, such as a tied output layer;
    - layers inside nn.MultiheadAttention: it reads their weights and never calls them;
    - the first factor of a LoRA pair: a dendrite on the second costs a tenth of one on both.
    """
    holders = Counter(id(p) for m in network.modules() for p in m.parameters(recurse=False))
    inside = [name for name, module in network.named_modules() if isinstance(module, nn.MultiheadAttention)]
    axes = {}
    for name, module in network.named_modules():
        layer = layer_of(name, module.neuron if isinstance(module, Dendritic) else module)
        if layer is None or layer.is_norm or not layer.trains or holders[id(layer.weight)] > 1:
            continue
        parts = name.split(".")
        if not {"lora_A", "dendrites", "neuron"} & set(parts) and not any(
            name.startswith(f"{above}.") for above in inside
        ):
            axes[name] = layer.axis
    return axes


def _axis(network: nn.Module, name: str) -> int:
    """Where the units of a layer are that the user named."""
    modules = dict(network.named_modules())
    if name not in modules:
        raise InputError(f'the network has no layer "{name}"{did_you_mean(name, modules)}')
    layer = layer_of(name, modules[name])
    if layer is None or layer.is_norm:
        kind = type(modules[name]).__name__
        raise InputError(f'"{name}" is a {kind}; linear and convolution layers grow')
    if not layer.trains:
        raise InputError(f'"{name}" is frozen; dendrites grow on layers that are trained')
    return layer.axis


def load_grown(network: nn.Module, state: Mapping[str, Tensor], function: str = "sigmoid") -> None:
    """Load the state dict of a grown network into one that has not grown, or has grown otherwise.

    `function` is the setting `pai_forward_function` under which it grew. A network that a `Growth` follows
    does not need this: its own `load_state_dict` does the same.
    """
    fit(network, state, function)
    network.load_state_dict(dict(state))


def fit(network: nn.Module, state: Mapping[str, Tensor], function: str) -> None:
    """Give a network the dendrites that a state dict has."""
    counts = dict.fromkeys(dendrites_of(network), 0)
    counts |= {key.removesuffix(".tops"): len(tops) for key, tops in state.items() if key.endswith(".tops")}
    axes = {name: _axis(network, name) for name in counts.keys() - dendrites_of(network).keys()}
    set_dendrites(network, counts, axes, function)
