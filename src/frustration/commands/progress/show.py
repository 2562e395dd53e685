"""What a run has to show, whatever prints it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from rich.console import RenderableType

E = TypeVar("E", contravariant=True)
"""The events of a kind of run."""
O = TypeVar("O", contravariant=True)  # noqa: E741
"""How such a run ends."""


class Show(Generic[E, O]):
    """Counts the events of a run and says what they mean; a view decides what of that is printed."""

    @property
    def stays(self) -> bool:
        """Whether the last picture is worth keeping when the run is over."""
        return False

    def tell(self, event: E) -> Iterable[RenderableType]:
        """Count an event; what is printed once because of it, above a picture or among lines."""
        raise NotImplementedError

    def lines(self, event: E) -> Iterable[str]:
        """After `tell`: what a pipe is told in place of a picture."""
        raise NotImplementedError

    def picture(self, width: int, height: int) -> list[RenderableType]:
        """Where the run stands, from top to bottom."""
        raise NotImplementedError

    def ending(self, outcome: O) -> Iterable[RenderableType]:
        """What is printed when the run is over: results, cautions, where they are saved."""
        return ()

    def json(self, event: E) -> dict[str, Any] | None:
        """An event as an object, if `--json` prints one for it."""
        raise NotImplementedError

    def json_ending(self, outcome: O) -> dict[str, Any] | None:
        """The last object."""
        return None
