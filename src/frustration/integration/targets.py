"""The two things a script can be edited for: the library perforatedai, or our own Growth and Ratchet.

All names of `frustration.loops` that are written into a script are in this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TargetName = Literal["perforatedai", "frustration"]
Intervention = Literal["perforate", "ablate"]


@dataclass(frozen=True)
class Own:
    """What a script calls of `frustration.loops`."""

    imports: str
    variable: str
    make: str
    """With {variable}, {network}, {maximize} and {mode}."""
    follow: str
    """With {variable} and {arguments}: the optimizer and, if there is one, its scheduler."""
    score: str
    """With {variable} and {score}."""
    grown: str
    """The field of the outcome that says that the network has other parameters; empty: it never has."""
    complete: str
    """The field of the outcome that ends the training; empty: the loop ends by itself."""
    ends: str
    """With {variable}: what is called after the loop; empty: nothing."""
    callback: str
    """The callback's class in `frustration.loops.lightning` and `.transformers`."""
    options: str
    """The callback's arguments behind the metric, with {maximize} and {mode}."""
    calls: tuple[str, ...]
    """The names by which an edited script is known again."""


GROWTH: Final = Own(
    imports="from frustration.loops import Growth",
    variable="growth",
    make="{variable} = Growth({network}, maximize={maximize})",
    follow="{variable}.set_optimizer({arguments})  # from now on they follow the network",
    score="{variable}.add_score({score})",
    grown="grown",
    complete="complete",
    ends="",
    callback="GrowthCallback",
    options="maximize={maximize}",
    calls=("Growth", "GrowthCallback"),
)
RATCHET: Final = Own(
    imports="from frustration.loops import Ratchet",
    variable="ratchet",
    make='{variable} = Ratchet({network}, mode="{mode}", maximize={maximize})',
    follow="{variable}.set_optimizer({arguments})  # from now on they follow the network",
    score="{variable}.add_score({score})",
    grown="",
    complete="",
    ends="{variable}.restore()  # the Last Known Good network",
    callback="RatchetCallback",
    options='mode="{mode}", maximize={maximize}',
    calls=("Ratchet", "RatchetCallback"),
)
LIBRARY_GROWTH: Final = "from frustration.loops.library import LibraryGrowth"
"""The library's tracker with the face of `Growth`, for the callbacks."""


def own(intervention: Intervention) -> Own:
    return GROWTH if intervention == "perforate" else RATCHET


@dataclass(frozen=True)
class Wishes:
    """What the user decided, by options."""

    intervention: Intervention = "perforate"
    target: TargetName = "perforatedai"
    metric: str = ""
    better: bool | None = None
    model: str = ""
    optimizer: str = ""
    dimensions: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()
    save_name: str = ""
    real: bool = False
    """A real run instead of the library's test of four epochs."""
    mode: str = "hidden"

    @property
    def described(self) -> str:
        if self.target == "perforatedai":
            return "perforatedai 3.2.9"
        return f"frustration.loops.{'Growth' if self.intervention == 'perforate' else 'Ratchet'}"
