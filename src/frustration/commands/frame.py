"""What live views have in common: a picture at the foot of a terminal, redrawn while things happen."""

from __future__ import annotations

import threading

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from frustration.sinks import console as fenced_console

REFRESHES_PER_SECOND = 4


class Frame:
    """Subclasses say what the picture is; what it is made of is changed and read under `drawing`."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or fenced_console()
        self.drawing = threading.Lock()  # the picture is redrawn by a thread of its own
        self._live: Live | None = None

    def picture(self) -> RenderableType:
        """What is redrawn; takes `drawing`."""
        raise NotImplementedError

    def open(self, transient: bool) -> None:
        """Begin to draw; a `transient` picture leaves nothing behind."""
        self._live = Live(
            get_renderable=self.picture,
            console=self.console,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=transient,
        )
        self._live.start()

    def close(self) -> None:
        """Leave the terminal as it was; twice does no harm."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def bar(share: float, words: str, width: int) -> Text:
    """`━━━━━━─────  words`: `share` of it, 0 to 1, is heavy, so that colour is not needed."""
    room = max(4, min(40, width - len(words) - 3))
    full = int(share * room)
    return Text.assemble(("━" * full, "green"), ("─" * (room - full), "dim"), f"  {words}", no_wrap=True)
