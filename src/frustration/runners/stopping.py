"""Ctrl-C and SIGTERM: one signal is enough, and no finished work is lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopper:
    """While it is entered, a signal sets `event` once training has begun; before that, it ends the command.

    Loading torch or a data set can take long and looks at no event, but there is nothing to lose yet.
    """

    def __init__(self, signals: tuple[signal.Signals, ...] = SIGNALS) -> None:
        self._signals = signals
        self.event = threading.Event()
        self._training = False
        self._before: dict[signal.Signals, Any] = {}

    def training_begins(self) -> None:
        self._training = True

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            self._before = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._training:
            raise KeyboardInterrupt
        self.event.set()
