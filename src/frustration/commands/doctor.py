"""doctor: which backend trains here, why, and how fast this machine is with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from frustration.commands.arguments import run
from frustration.commands.options import Options, option

NAME = "doctor"


def main(argv: Sequence[str] | None = None) -> int:
    return run(NAME, _examine, argv)


class DoctorOptions(Options):
    """Say which backend trains on this machine and why, and measure it."""

    command = NAME

    json: bool = option("print one JSON object", False)


def _examine(arguments: list[str]) -> int:
    options = DoctorOptions.read(arguments)
    from frustration.engine.doctor import diagnose

    diagnosis = diagnose()
    if options.json:
        print(json.dumps(dataclasses.asdict(diagnosis), default=str))
    else:
        print("\n".join(diagnosis.sentences()))
    return 0
