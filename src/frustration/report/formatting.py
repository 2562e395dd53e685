"""Numbers as reports say them. What is not known is a dash."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frustration.metric import ACCURACY, PERCENT, POINTS, Metric

if TYPE_CHECKING:  # the terminal formats numbers before anything of a report is needed
    from frustration.report.findings import Moments
    from frustration.statistics.results import Estimate

DASH = "–"


def percent(value: float | None) -> str:
    """`98.22`."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.2f}"


def digits_of(metric: Metric, *values: float) -> int:
    """Behind the point: two where scores are in points, else enough for four figures of the largest."""
    if metric.in_points:
        return 2
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 2 if not largest else min(12, max(0, 3 - math.floor(math.log10(largest))))


def score(value: float | None, metric: Metric) -> str:
    """`98.22`, `0.01834`: a score without its unit."""
    return DASH if value is None or not math.isfinite(value) else f"{value:.{digits_of(metric, value)}f}"


def with_unit(text: str, metric: Metric) -> str:
    """`98.22 %`, `0.01834`."""
    return f"{text} {metric.unit}" if metric.unit and text != DASH else text


def apart(text: str, metric: Metric) -> str:
    """`0.12 points`: a difference of scores in words; one of a metric without unit stands alone."""
    return f"{text} {POINTS}" if metric.in_points else with_unit(text, metric)


def by(value: float, metric: Metric) -> str:
    """`0.56 points`: how far two scores are apart, whichever is higher."""
    return apart(f"{abs(value):.{digits_of(metric, value)}f}", metric)


def change(value: float, metric: Metric) -> str:
    """`+0.12 points`."""
    return apart(points(value, digits_of(metric, value)), metric)


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


def interval(
    estimate: Estimate | None, signed: bool = True, digits: int | None = None, metric: Metric = ACCURACY
) -> str:
    """`+0.02 to +0.22`; a percentage, which is not `signed`, lies between 0 and 100 whatever t says."""
    if estimate is None:
        return DASH
    if digits is None:
        digits = digits_of(metric, estimate.value, estimate.low, estimate.high)
    if math.isinf(estimate.low) and math.isinf(estimate.high):
        return "unbounded"
    if signed:
        return f"{points(estimate.low, digits)} to {points(estimate.high, digits)}"
    low, high = (0.0, 100.0) if metric.unit == PERCENT else (-math.inf, math.inf)
    return f"{number(max(low, estimate.low), digits)} to {number(min(high, estimate.high), digits)}"


def with_interval(
    estimate: Estimate | None, signed: bool = True, digits: int | None = None, metric: Metric = ACCURACY
) -> str:
    """`+0.12 (+0.02 to +0.22)`."""
    if estimate is None:
        return DASH
    if digits is None:
        digits = digits_of(metric, estimate.value, estimate.low, estimate.high)
    value = points(estimate.value, digits) if signed else number(estimate.value, digits)
    return f"{value} ({interval(estimate, signed, digits, metric)})"


def mean_std(moments: Moments | None, metric: Metric = ACCURACY) -> str:
    """`98.25 (0.06)`: the standard deviation over trials, divided by n; one trial has none."""
    if moments is None:
        return DASH
    digits = digits_of(metric, moments.mean)
    return f"{moments.mean:.{digits}f} ({f'{moments.std:.{digits}f}' if moments.n > 1 else DASH})"


def spread(values: Sequence[float | None], metric: Metric = ACCURACY) -> str:
    """`95.49 ± 0.20`, of the values that are known: the same two numbers in the terminal."""
    known = [value for value in values if value is not None]
    if not known:
        return DASH
    middle = statistics.fmean(known)
    digits = digits_of(metric, middle)
    return f"{middle:.{digits}f} ± {f'{statistics.pstdev(known):.{digits}f}' if len(known) > 1 else DASH}"


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
