"""What both forest plots share, that of the page and that of the figures: the scale and the state of a mark.

The scale is that of asinh: it is even below a unit, and an effect of -24 points hides none of -0.05.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from frustration.metric import Metric
from frustration.report.findings import Comparison

TICKS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""In units of the scale."""


def ends(one: Comparison) -> tuple[float, float, float]:
    """(low, value, high); an interval without bounds is the value alone."""
    low, value, high = one.difference.low, one.difference.value, one.difference.high
    bounded = math.isfinite(low) and math.isfinite(high)
    return (low, value, high) if bounded else (value, value, value)


def unit_of(largest: float, metric: Metric) -> float:
    """A point; what is not counted in points is measured in a tenth of the largest effect."""
    return 1.0 if metric.in_points or not largest else 10.0 ** math.floor(math.log10(largest / 10))


def state_of(one: Comparison) -> Literal["idle", "found", "open"]:
    """Never acted, or hardly; better or worse than its control; or not distinguished."""
    if one.finding in ("inert", "mostly inert", "identical"):
        return "idle"
    return "found" if one.finding in ("better", "worse") else "open"
