"""What `redo` and `cbp` share: ordinary training in which some hidden units start again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.ablation import Unit
from frustration.modes.base import Evidence, LoopContext, Mode, ModeError
from frustration.protocols import AnyNetwork, AnyShape


@dataclass(frozen=True, kw_only=True)
class Renewal(Mode):
    """A mode without the ratchet that reinitializes the hidden units named by `worn_out`."""

    damages: ClassVar[bool] = True
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist-masked"

    def worn_out(self, network: AnyNetwork, context: LoopContext) -> Sequence[Unit]:
        """The hidden units that start again in this loop."""
        raise NotImplementedError

    def check(self, shape: AnyShape) -> None:
        if not shape.eligible("hidden"):
            raise ModeError(f'mode "{self.name}" has nothing to act on: {shape.lacks("hidden")}')

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        units = self.worn_out(candidate, context)
        renew(candidate, units, context)
        return (
            {"renewed": [[candidate.shape.layer_name(layer), unit] for layer, unit in units]} if units else {}
        )


def renew(network: AnyNetwork, units: Sequence[Unit], context: LoopContext) -> None:
    """Give hidden units fresh incoming weights and outgoing weights of 0, dendrites included.

    A renewed unit changes nothing at first: whatever it computes, nobody hears it. The dendrites of a grown
    network are not drawn again; those of a renewed unit lose their weight in it.
    """
    if not units:
        return
    bare = network.shape.with_dendrites((0,) * len(network.shape.dendrites))
    fresh = bare.view(bare.initial(context.stream("init")))
    for layer, unit in units:
        for part in network.incoming(layer, unit):
            part[...] = 0.0
        for part, new in zip(network.incoming(layer, unit), fresh.incoming(layer, unit), strict=False):
            part[...] = new
    for layer, unit in units:  # last, for one renewed unit may have drawn a weight for another
        for part in network.outgoing(layer, unit):
            part[...] = 0.0
