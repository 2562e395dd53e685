"""Numbers as reports say them. What is not known is a dash."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the terminal formats numbers before anything of a report is needed
    from frustration.report.findings import Moments
    from frustration.statistics.results import Estimate

DASH = "–"


def percent(value: float | None) -> str:
    """`98.22`."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.2f}"


def points(value: float | None, digits: int = 2) -> str:
    """`+0.12`; never `-0.00`."""
    if value is None or math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0.0 else text


def number(value: float | None, digits: int = 2) -> str:
    """`0.57`, or `∞`."""
    if value is None or math.isnan(value):
        return DASH
    return "∞" if math.isinf(value) else f"{value:.{digits}f}"


def p_value(p: float | None) -> str:
    """`0.0078`, `0.45`, `< 0.0001`: two digits that say something."""
    if p is None:
        return DASH
    if p < 1e-4:
        return "< 0.0001"
    return f"{p:.{max(2, 1 - math.floor(math.log10(p)))}f}"


def interval(estimate: Estimate | None, signed: bool = True, digits: int = 2) -> str:
    """`+0.02 to +0.22`; an accuracy, which is not `signed`, lies between 0 and 100 whatever t says."""
    if estimate is None:
        return DASH
    if math.isinf(estimate.low) and math.isinf(estimate.high):
        return "unbounded"
    if signed:
        return f"{points(estimate.low, digits)} to {points(estimate.high, digits)}"
    return f"{percent(max(0.0, estimate.low))} to {percent(min(100.0, estimate.high))}"


def with_interval(estimate: Estimate | None, signed: bool = True, digits: int = 2) -> str:
    """`+0.12 (+0.02 to +0.22)`."""
    if estimate is None:
        return DASH
    value = points(estimate.value, digits) if signed else percent(estimate.value)
    return f"{value} ({interval(estimate, signed, digits)})"


def mean_std(moments: Moments | None) -> str:
    """`98.25 (0.06)`: the standard deviation over trials, divided by n; one trial has none."""
    if moments is None:
        return DASH
    return f"{moments.mean:.2f} ({f'{moments.std:.2f}' if moments.n > 1 else DASH})"


def spread(values: Sequence[float | None]) -> str:
    """`95.49 ± 0.20`, of the values that are known: the same two numbers in the terminal."""
    known = [value for value in values if value is not None]
    if not known:
        return DASH
    return f"{statistics.fmean(known):.2f} ± {f'{statistics.pstdev(known):.2f}' if len(known) > 1 else DASH}"


def mean(values: Sequence[float | None], digits: int = 1) -> str:
    """`45.5`, of the values that are known."""
    known = [value for value in values if value is not None]
    return number(statistics.fmean(known) if known else None, digits)


def amount(value: float) -> str:
    """`1,628,170`, for counts."""
    return DASH if not math.isfinite(value) else f"{value:,.0f}"


def seconds(value: float) -> str:
    """`1.6 s`, `12.3 min`, `2.1 h`."""
    if not math.isfinite(value):
        return DASH
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def many(count: int, what: str, plural: str = "") -> str:
    """`1 trial`, `12 trials`."""
    return f"{count:,} {what if count == 1 else plural or what + 's'}"


def listed(names: list[str], most: int = 12) -> str:
    """`a, b and c`; of many, the first and how many more."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def code(label: str) -> str:
    """A treatment or an architecture inside a sentence, as Markdown has it."""
    return f"`{label}`"
