"""How quickly a study with very many records is listed, written and indexed anew.

    python benchmarks/store.py [--records 100000] [--loops 2] [--folder PATH]

The records are made up. A list reads the index only, whatever the curves' lengths. CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from machine import facts

from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.store import Store

LIMIT_SECONDS = 5.0
"""A list of 100,000 records should take no longer."""


def synthetic_records(count: int, meta_loops: int = 2) -> Iterator[TrialRecord]:
    """`count` records of two modes with made-up accuracies; the same ones every time."""
    modes = [TrialSpec.of("[1*2]", mode, meta_loops=meta_loops).program for mode in ("none", "hidden")]
    for number in range(count):
        spec = TrialSpec.of("[1*2]", "none", trial=number // 2, meta_loops=meta_loops)
        if number % 2:
            spec = TrialSpec(
                architecture=spec.architecture, program=modes[1], trial=spec.trial, meta_loops=meta_loops
            )
        best = 20.0 + number % 100 / 10
        curve = tuple(
            LoopEntry(
                loop=loop,
                mode=spec.label,
                loss=2.0,
                before=None if loop == 1 else best,
                damaged=None,
                accuracy=best,
                accepted=loop == 1,
                new_bounty=loop == 1,
                evidence={"hidden": {"units": [[0, loop % 2]], "removed": loop / 7}}
                if number % 2 and loop > 1
                else {},
            )
            for loop in range(1, meta_loops + 1)
        )
        yield TrialRecord(
            spec=spec,
            loop=spec.meta_loops,
            curve=curve,
            bounty=best,
            bounty_loop=1,
            test_accuracy=best - 0.5,
            parameters=1600,
            flops=3200,
            seconds=0.5,
            numerics={"backend": "synthetic"},
        )


def measure(records: int, loops: int, folder: Path) -> dict[str, float]:
    """CPU seconds of each thing that is done with a store."""
    store = Store(folder / "many")
    grid = 'name = "many"\narchitectures = ["[1*2]"]\nmodes = ["none", "hidden"]\n'
    store.create(Study.from_toml(f"{grid}trials = {records}\nmeta_loops = {loops}\n"))
    made = list(synthetic_records(records, loops))
    seconds = {"write": timed(lambda: list(map(store.write_record, made)))}
    made.clear()  # millions of objects would make Python's search for garbage slow
    seconds["ids"] = timed(store.ids)
    seconds["list"] = timed(store.summaries)
    (store.root / "index.jsonl").unlink()
    seconds["list without an index"] = timed(store.summaries)
    seconds["the same records read whole"] = timed(lambda: [store.fields(one) for one in store.ids()[0]])
    if len(store.summaries()) != records:
        raise SystemExit(f"{records} records were written, {len(store.summaries())} are listed")
    return seconds


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the store is made (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        seconds = measure(options.records, options.loops, Path(folder))
    print(
        json.dumps(
            {"records": options.records, "loops": options.loops, "seconds": seconds, **facts()}, indent=2
        )
    )
    if seconds["list"] > LIMIT_SECONDS:
        raise SystemExit(f"a list took {seconds['list']:.1f} s, more than {LIMIT_SECONDS} s")


if __name__ == "__main__":
    main()
