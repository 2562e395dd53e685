"""The ratchet in a user's own training loop: keep the best, damage it, train, keep or go back.

ratchet = Ratchet(network, mode="hidden")
ratchet.set_optimizer(optimizer)
for loop in range(100):
    train(network, optimizer)                   # damage is applied at the first training step
    ratchet.add_score(validate(network))        # afterwards the network is the base of the next loop
ratchet.restore()                               # the Last Known Good
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from frustration.engine.module.layers import restore, snapshot, tensors
from frustration.engine.module.population import Dropout
from frustration.engine.module.probe import not_compiled
from frustration.engine.module.shape import ModuleShape
from frustration.engine.population import Epoch
from frustration.errors import InputError
from frustration.loops.live import GROWN, Call, candidate_of, detached, shape_of_live
from frustration.loops.optimizers import Companions
from frustration.loops.outcome import Outcome
from frustration.metric import Metric
from frustration.modes import EpochSettings, LoopContext
from frustration.modes.base import Evidence
from frustration.modes.grammar import ModeChoice
from frustration.policy import OPTIMIZERS, STRICT
from frustration.streams import Streams

POLICIES: Final = (*OPTIMIZERS, "rollback")
NOT_HERE: Final = {
    "wide": "it trains another network",
    "restart": "it would have to build the network again",
    "redo": "it would have to build the network again, for fresh weights",
    "cbp": "it would have to build the network again, for fresh weights",
    "ratchet": "it only turns the ratchet on where another mode turns it off",
}


class Ratchet:
    """Interventions on a network in your own training loop, with the Last Known Good (LKG) kept.

    The modes are those of `train` that need no second network; for dendrites there is `Growth`. Without
    the ratchet (`plain`) the network never goes back; its LKG is the best one so far.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        mode: str = "hidden",
        maximize: bool = True,
        seed: int = 0,
        optimizer: str | None = None,
    ) -> None:
        """`optimizer`: what it keeps from loop to loop.

        fresh: nothing. persist: everything. persist-masked: all but the moments of damaged weights.
        rollback: it is rolled back with the network, and so is its scheduler. Default: the mode's policy.
        """
        choice = ModeChoice.parse(mode)
        self.network, self.program = network, choice.program
        self.acceptance = choice.acceptance or STRICT
        self.policy = optimizer or choice.optimizer or choice.program.optimizer
        self._refuse(mode)
        self.metric = Metric(better="higher" if maximize else "lower")
        self.streams = Streams(seed, 0, "loops")
        self.companions: Companions | None = None
        self.loop = 0
        """Loops completed."""
        self.scores: list[float] = []
        self.extra: list[dict[str, float]] = []
        """Scores that decide nothing, one table per call of `add_score`."""
        self.evidence: list[dict[str, Evidence]] = []
        """What was really done, loop by loop."""
        self.accepted: list[bool] = []
        self.best: float | None = None
        self._base_score: float | None = None
        self._lkg = self._base = snapshot(network)
        self._parameters = {name for name, _ in network.named_parameters()}
        self._remembered: dict[str, Any] | None = None
        self._shape: ModuleShape | None = None
        self._call: Call | None = None
        self._due = True
        self._steps = 0
        self._now: dict[str, Evidence] = {}
        self._dropout: Dropout | None = None
        self._epoch = contextlib.ExitStack()
        network.register_forward_pre_hook(not_compiled(self._before_forward), with_kwargs=True)

    def _refuse(self, mode: str) -> None:
        for segment in self.program.segments:
            for one in segment.components:
                if one.name in NOT_HERE:
                    raise InputError(f'mode "{mode}" is not for a loop of your own: {NOT_HERE[one.name]}')
            if segment.growing:
                raise InputError(f'mode "{mode}" grows: use frustration.loops.Growth')
        if self.acceptance.patience:
            raise InputError(f'mode "{mode}": patience is for `train`; here are strict and ties')
        if self.policy not in POLICIES:
            raise InputError(f'optimizer is one of {", ".join(POLICIES)}, not "{self.policy}"')

    def set_optimizer(self, optimizer: torch.optim.Optimizer, scheduler: Any = None) -> None:
        """Let the ratchet decide what these remember."""
        self.companions = Companions(self.network, optimizer, scheduler)
        self._remembered = self.companions.state()

    @property
    def has_trained(self) -> bool:
        """Whether the network has been called in training, which is how its units are found."""
        return self._call is not None

    @property
    def lkg(self) -> Mapping[str, Tensor]:
        """The tensors of the Last Known Good, by name."""
        return self._lkg

    def restore(self) -> None:
        """Make the network the Last Known Good."""
        restore(self.network, dict(self._lkg))

    def add_score(self, score: float, **extra: float) -> Outcome:
        """Judge the loop that ends here; then the network is the base of the next loop, undamaged.

        `extra` scores, such as `test=0.91`, are kept and decide nothing.
        """
        self._check_form()
        self.loop += 1
        segment = self.program.at(self.loop)
        finite = math.isfinite(score)
        improved = finite and (self.best is None or self.metric.beats(score, self.best))
        accepted = finite and (
            not segment.ratchet or self.acceptance.accepts(score, self._base_score, self.metric)
        )
        if improved or accepted:
            kept = snapshot(self.network)
            if improved:
                self.best, self._lkg = score, kept
            if accepted:
                self._base, self._base_score = kept, score
        self.scores.append(float(score))
        self.extra.append(extra)
        self.accepted.append(accepted)
        self.evidence.append({name: done for name, done in self._now.items() if done})
        self._next_loop(accepted)
        return Outcome(
            score=float(score),
            best=math.nan if self.best is None else self.best,
            improved=improved,
            why="accepted" if accepted else "discarded",
        )

    def state_dict(self) -> dict[str, Any]:
        """What to save beside the network and its optimizer, between two loops; `torch.save` takes it."""
        return {
            "loop": self.loop,
            "scores": list(self.scores),
            "extra": list(self.extra),
            "accepted": list(self.accepted),
            "evidence": copy.deepcopy(self.evidence),
            "best": self.best,
            "base_score": self._base_score,
            "lkg": dict(self._lkg),
            "base": dict(self._base),
            "remembered": self._remembered,
            "call": self._call,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` returned; call this after the optimizer was handed over.

        The network is the base of the next loop again.
        """
        self.loop, self.best, self._base_score = state["loop"], state["best"], state["base_score"]
        self.scores, self.accepted = list(state["scores"]), list(state["accepted"])
        self.extra = list(state["extra"])
        self.evidence = copy.deepcopy(state["evidence"])
        self._lkg, self._base = dict(state["lkg"]), dict(state["base"])
        self._remembered, self._call = state["remembered"], state["call"]
        self._due, self._steps, self._now = True, 0, {}
        restore(self.network, dict(self._base))

    def _next_loop(self, accepted: bool) -> None:
        if not accepted:
            restore(self.network, dict(self._base))
        if self.companions is not None:
            if self.policy == "fresh":
                self.companions.forget()
            elif self.policy == "rollback" and accepted:
                self._remembered = self.companions.state()
            elif self.policy == "rollback" and self._remembered is not None:
                self.companions.load(self._remembered)
        self._due, self._now = True, {}
        self._end_epoch()

    def _before_forward(self, network: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        if not network.training:
            return
        if self._call is None:
            self._call = detached((inputs, keywords))
        if self._due:
            self.intervene()
        self._steps += 1
        if self._dropout is not None:
            self._dropout.next_step()

    def intervene(self) -> dict[str, Evidence]:
        """Treat the network for the loop that begins; called by itself at the first training step."""
        self._check_form()
        loop = self.loop + 1
        segment = self.program.at(loop)
        self._due = False
        if self._shape is None and self._call is not None:
            self._shape = shape_of_live(self.network, self._call)
            self.program.check(self._shape, loop)
        if self._shape is None:
            raise InputError("the ratchet has not seen the network train yet: run a training step first")
        settings = EpochSettings(learning_rate=1.0)
        candidate = candidate_of(self._shape)
        context = LoopContext(self.streams, loop, [self._call], max(1, self._steps))
        for mode in segment.components:
            settings = mode.training(settings)
            done = mode.intervene(candidate, context) if loop > 1 else {}
            self._now[mode.name] = {**done, **mode.training_evidence(settings)}
        self._steps = 0
        if loop > 1 and any(mode.damages for mode in segment.components):
            before = snapshot(self.network)
            self._shape.load(self.network, candidate.vector)
            if self.companions is not None and self.policy == "persist-masked":
                now = tensors(self.network)
                self.companions.forget_where({name: now[name] != old for name, old in before.items()})
        self._begin_epoch(settings)
        return self._now

    def _check_form(self) -> None:
        if {name for name, _ in self.network.named_parameters()} != self._parameters:
            raise InputError(GROWN)

    def _begin_epoch(self, settings: EpochSettings) -> None:
        if self.companions is not None:
            self.companions.decay(settings.weight_decay)
        elif settings.weight_decay:
            raise InputError("mode decay acts through the optimizer: hand it over by set_optimizer")
        if settings.dropout and self.network._compiled_call_impl is not None:
            raise InputError(
                "mode dropout cannot act in a network that is compiled in place; give the ratchet what "
                "torch.compile(network) returns"
            )
        if settings.dropout and self._shape is not None:
            key = self.streams.dropout_key(self.loop + 1)
            epoch = Epoch(order=np.zeros(0, np.int64), settings=settings, dropout_key=key, moments=None)
            self._dropout = Dropout(self._shape, epoch)
            self._epoch.enter_context(self._dropout.at_work(self.network))

    def _end_epoch(self) -> None:
        self._epoch.close()
        self._dropout = None
