"""Many requests to AWS at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    keep: Callable[[Item, Result], None],
    parallel: int,
    stop: threading.Event | None = None,
) -> None:
    """Do `work` in threads; `keep` gets each result in this one, as soon as it is there.

    After an error or Ctrl-C nothing more is begun, and `stop` tells what is under way.
    """
    with ThreadPoolExecutor(parallel) as pool:
        try:
            futures = {pool.submit(work, item): item for item in items}
            for future in as_completed(futures):
                keep(futures[future], future.result())
        except BaseException:
            if stop:
                stop.set()
            pool.shutdown(cancel_futures=True)
            raise
