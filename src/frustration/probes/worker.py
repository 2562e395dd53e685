"""A worker process: `python -m frustration.probes.worker`, started by `run.Worker`.

A line in is what all groups have in common, every further one the ids of a group; lines out are events,
"done" after each group, or the failure that ends it. All are JSON. It ends when its input does, or when
nobody hears it any more.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path


def main() -> None:
    from frustration.errors import FrustrationError
    from frustration.probes.events import Event
    from frustration.probes.measure import TestImages, measure_group
    from frustration.probes.plan import Data
    from frustration.probes.settings import Wanted
    from frustration.study.store import Store

    about = json.loads(sys.stdin.readline())
    wanted = Wanted(**{**about["wanted"], "measures": tuple(about["wanted"]["measures"])})
    store, images, never = Store(Path(about["root"])), TestImages(Data()), threading.Event()

    def emit(event: Event) -> None:
        print(json.dumps(asdict(event)), flush=True)

    for line in sys.stdin:
        try:
            measure_group(store, json.loads(line), wanted, images, emit, never)
        except FrustrationError as error:  # a full disk, say
            print(json.dumps({"failure": str(error)}), flush=True)
            return
        print(json.dumps("done"), flush=True)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(1)  # whoever started this is gone; what was measured is on disk
