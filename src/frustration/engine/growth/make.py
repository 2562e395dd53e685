"""The growth of a trial: begun with a segment of its schedule, or read back from a checkpoint.

Two things can make a network grow. Without the ratchet the library's own schedule does (`scheduled`): it
looks at every score, and puts another network in place when a round is over. With the ratchet growth is an
intervention on a candidate, and disappears with it when the candidate is discarded (`ratchet`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import Attempt, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.growth.protocol import Growth
from frustration.engine.growth.ratchet import RatchetGrowth
from frustration.engine.growth.scheduled import ScheduledGrowth
from frustration.modes import Program, Segment
from frustration.protocols import AnyNetwork


def begin_growth(
    segment: Segment, seed: int, earlier: Sequence[dict[str, Any]] = (), maximize: bool = True
) -> Growth:
    """Growth as a segment wants it, from its first loop on; `earlier` are the attempts before that.

    `maximize`: whether higher scores are better.
    """
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.seeded(seed)
    if segment.ratchet:
        return RatchetGrowth(
            name=mode.name,
            first=segment.first,
            settings=mode.settings,
            draws=draws,
            earlier=list(earlier),
        )
    return ScheduledGrowth(
        name=mode.name,
        first=segment.first,
        settings=mode.settings,
        adds=mode.adds_dendrites,
        schedule=Schedule(_directed(mode.settings, maximize), counts_growth=mode.adds_dendrites),
        draws=draws,
        seed=seed,
        earlier=list(earlier),
    )


def _directed(settings: Settings, maximize: bool) -> Settings:
    """Settings of a schedule that knows which way is better; those of a mode always maximize."""
    return Settings.of({**settings.to_dict(), "maximizing_score": maximize})


def growth_from_dict(program: Program, fields: Mapping[str, Any], saved: AnyNetwork | None) -> Growth:
    """What `to_dict` wrote, with the network that was saved beside it."""
    segment = program.at(fields["first"])
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.from_bytes(base64.b64decode(fields["draws"]))
    common = {
        "name": fields["name"],
        "first": fields["first"],
        "draws": draws,
        "settings": mode.settings,
        "earlier": fields.get("earlier", []),
    }
    if fields["kind"] == "ratchet":
        attempts = [Attempt(**attempt) for attempt in fields["attempts"]]
        sizes = [tuple(size) for size in fields["sizes"]]
        counts = {name: fields[name] for name in ("idle", "tried", "growing", "loops")}
        return RatchetGrowth(attempts=attempts, sizes=sizes, **counts, **common)
    return ScheduledGrowth(
        adds=mode.adds_dendrites,
        seed=fields["seed"],
        schedule=Schedule.from_state(fields["schedule"]),
        saved=saved,
        saved_accuracy=fields["saved_accuracy"],
        saved_loop=fields["saved_loop"],
        sizes=[tuple(size) for size in fields["sizes"]],
        pending=fields["pending"],
        why=fields["why"],
        ended=fields["ended"],
        **common,
    )
