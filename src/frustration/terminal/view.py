"""A view of a run: JSON lines, plain lines, or a picture that is redrawn."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from frustration.sinks import print_json_line
from frustration.terminal.printing import in_terminal, output, say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

REFRESHES_PER_SECOND = 4
STOPPING = "stopping; what is done is kept"

E = TypeVar("E", contravariant=True)
"""The events of a kind of run."""
O = TypeVar("O", contravariant=True)  # noqa: E741
"""How such a run ends."""


class Show(Generic[E, O]):
    """Counts the events of a run and puts them into words; a view decides which of them are printed."""

    @property
    def stays(self) -> bool:
        """Whether the last picture is worth keeping when the run is over."""
        return False

    def tell(self, event: E) -> Iterable[RenderableType]:
        """Count an event; what is printed once because of it, above a picture or among lines."""
        raise NotImplementedError

    def lines(self, event: E) -> Iterable[str]:
        """Called after `tell`: what a pipe gets instead of a picture."""
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


class View(Protocol[E, O]):
    """Receives the events of a run in their order."""

    def tell(self, event: E) -> None: ...

    def end(self, outcome: O) -> None:
        """Called when the run has been completed or interrupted."""

    def close(self) -> None:
        """Called last in every case: restore the terminal."""


def view_of(show: Show[E, O], stop: threading.Event, as_json: bool = False) -> View[E, O]:
    """The view that fits where stdout goes; `stop` is set when the run is asked to end."""
    if as_json:
        return JsonView(show)
    return LiveView(show, stop) if in_terminal() else PlainView(show)


class JsonView(View[E, O]):
    """One object a line, as it happens."""

    def __init__(self, show: Show[E, O]) -> None:
        self._show = show

    def tell(self, event: E) -> None:
        self._print(self._show.json(event))

    def end(self, outcome: O) -> None:
        self._print(self._show.json_ending(outcome))

    def close(self) -> None:
        pass

    def _print(self, fields: dict[str, Any] | None) -> None:
        if fields is not None:
            print_json_line(**fields)


class PlainView(View[E, O]):
    """Lines without control codes, each written out at once."""

    def __init__(self, show: Show[E, O]) -> None:
        self._show, self._console = show, output()

    def tell(self, event: E) -> None:
        self._say(*self._show.tell(event), *self._show.lines(event))

    def end(self, outcome: O) -> None:
        self._say(*self._show.ending(outcome))

    def close(self) -> None:
        pass

    def _say(self, *what: RenderableType) -> None:
        for one in what:
            say(self._console, one)


class LiveView(View[E, O]):
    """A picture at the foot of a terminal, redrawn while things happen."""

    def __init__(self, show: Show[E, O], stop: threading.Event, console: Console | None = None) -> None:
        self._show, self._stop = show, stop
        self.console = console or output()
        self._drawing = threading.Lock()  # the picture is redrawn by a thread of its own
        self._live: Live | None = None

    def tell(self, event: E) -> None:
        with self._drawing:
            said = list(self._show.tell(event))
        for what in said:
            say(self.console, what)
        if self._live is None:
            self._open()

    def end(self, outcome: O) -> None:
        self.close()
        if self._show.stays:
            say(self.console, "")
        for what in self._show.ending(outcome):
            say(self.console, what)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()

    def picture(self) -> RenderableType:
        """What is redrawn."""
        from rich.console import Group
        from rich.text import Text

        with self._drawing:
            parts = self._show.picture(*self.console.size)
        return Group(*parts, *([Text(STOPPING, style="yellow")] if self._stop.is_set() else []))

    def _open(self) -> None:
        from rich.live import Live

        self._live = Live(
            get_renderable=self.picture,
            console=self.console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=not self._show.stays,
        )
        self._live.start()
