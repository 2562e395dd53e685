"""doctor: which backend trains here, why, and how fast this machine is with it."""

from __future__ import annotations

import dataclasses
import json

from frustration.commands.options import Options, command, option


class DoctorOptions(Options):
    """Say which backend trains on this machine and why, and measure it."""

    command = "frustration doctor"

    json: bool = option("print one JSON object", False)


def _examine(options: DoctorOptions) -> int:
    from frustration.engine.doctor import diagnose

    diagnosis = diagnose()
    if options.json:
        print(json.dumps(dataclasses.asdict(diagnosis), default=str))
    else:
        print("\n".join(diagnosis.sentences()))
    return 0


main = command(DoctorOptions, _examine)
