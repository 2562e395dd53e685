"""doctor: which backend trains here, why, and how fast this machine is with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from frustration.commands.arguments import Parser, run

NAME = "doctor"


def main(argv: Sequence[str] | None = None) -> int:
    return run(NAME, _examine, argv)


def _examine(arguments: list[str]) -> int:
    parser = Parser(NAME, "Say which backend trains on this machine and why, and measure it.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.read(arguments)
    from frustration.engine.doctor import diagnose

    diagnosis = diagnose()
    if options.json:
        print(json.dumps(dataclasses.asdict(diagnosis), default=str))
    else:
        print("\n".join(diagnosis.sentences()))
    return 0
