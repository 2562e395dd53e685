#!/usr/bin/env python3
"""`make test-attack`: thousands of attacks with a seed, and what became of them.

.venv/bin/python scripts/attack.py                          all of them, seed 1
.venv/bin/python scripts/attack.py --seed 7 --times 10 kills     others, more of them, one kind only

Each line says how many were tried, how many were noticed (refused in one sentence, or left out and named),
how many were harmless (what came out is what comes out without them), how many were believed although they
were false, and how many ended in a traceback or hung. The last three must be 0.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

FAULTS = Path(__file__).resolve().parents[1] / "tests" / "faults"
COUNTS = {
    "kills": 100,
    "records": 3000,
    "checkpoints": 1500,
    "archives": 500,
    "libraries": 200,
    "surroundings": 100,
    "refusals": 300,
}
"""How many attacks of each kind, of which tests/faults/attack_KIND.py makes any number."""
WORDS = ("tried", "noticed", "harmless", "believed", "tracebacks", "hangs")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/attack.py", description="Attack, and print what came of it."
    )
    parser.add_argument(
        "kinds", nargs="*", metavar="KIND", help=f"some of {', '.join(COUNTS)} (default: all)"
    )
    parser.add_argument("--seed", type=int, default=1, help="which attacks (default: 1)")
    parser.add_argument("--times", type=float, default=1, help="how many times as many (default: 1)")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(COUNTS):
        parser.error(f"there are no attacks {', '.join(sorted(unknown))}; there are {', '.join(COUNTS)}")
    sys.path[:0] = [str(FAULTS), str(FAULTS.parent)]
    print(f"{'seed ' + str(options.seed):14}" + "".join(f"{word:>12}" for word in (*WORDS, "seconds")))
    survived = True
    for kind in options.kinds or COUNTS:
        began = time.monotonic()
        attack = importlib.import_module(f"attack_{kind}")
        tally = attack.run(options.seed, max(1, round(COUNTS[kind] * options.times)))
        numbers = [*(getattr(tally, word) for word in WORDS), round(time.monotonic() - began)]
        print(f"{kind:14}" + "".join(f"{number:12,}" for number in numbers), flush=True)
        for detail in tally.details:
            print(f"  {detail}", file=sys.stderr, flush=True)
        survived &= tally.survived
    return 0 if survived else 1


if __name__ == "__main__":
    sys.exit(main())
