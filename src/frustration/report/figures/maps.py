"""Maps over all architectures: how well they do, what ablation changes, what is stable, who wins, regimes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, PowerNorm, SymLogNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.metric import Metric
from frustration.report.figures import panels, style
from frustration.report.figures.inputs import Figure, FigureInput
from frustration.report.figures.strips import Tile, tile_map
from frustration.report.findings import CellSummary, Moments
from frustration.statistics.regimes import BENEFICIAL, CHAOTIC, FAILURE, NOT_JUDGED, SIZED, UNKNOWN

NO_VALUE: Final = Tile(style.NOTHING)
UNDECIDED: Final = Tile("#CFCFCF")
SURE: Final = 0.8
"""A regime whose label comes out less often than this, when trials are drawn again, is hatched."""
REGIMES: Final = {
    FAILURE: "#4D4D4D",
    BENEFICIAL: "#0072B2",
    SIZED: "#E69F00",
    CHAOTIC: "#CC79A7",
    UNKNOWN: "#F0E442",
    NOT_JUDGED: style.NOTHING,
}


def baseline(given: FigureInput) -> Iterator[Figure]:
    """How well control does: what every effect is measured against."""
    controls = {a: g.control or next(iter(g.cells), None) for a, g in given.groups.items()}
    rows = (
        {"bounty": "bounty"}
        if given.results.metric == "bounty"
        else {"test": "LKG on test", "bounty": "bounty"}
    )
    means = {
        (architecture, words): found.mean
        for architecture, label in controls.items()
        if label is not None
        for metric, words in rows.items()
        if (found := _moments(given.groups[architecture].cells[label], metric)) is not None
    }
    name, title = "baseline", "Baseline performance"
    if not means:
        yield Figure(name=name, title=title, left_out="no control has a finished trial")
        return
    low, high = min(means.values()), max(means.values())
    top, floor = (max(high, low + 0.1) if given.metric.in_points else high), low
    # Errors on a log scale: 97 and 98 % are as far apart as 70 and 80 %.
    stretched = panels.is_percentage(given.metric) and top > 85 and top - floor > 2
    norm = FuncNorm((_stretch, _shrink), floor, min(top, 99.99)) if stretched else None
    mapping = ScalarMappable(norm, style.SEQUENTIAL)
    if norm is None:
        mapping.set_clim(floor, top)

    def tile(architecture: Architecture, row: str) -> Tile:
        mean = means.get((architecture, row))
        return (
            NO_VALUE if mean is None else Tile(style.colour_of(mapping, mean), _number(mean, given.metric, 1))
        )

    ticks = [t for t in (10, 50, 80, 90, 95, 98, 99) if floor <= t <= top] if norm is not None else None
    options: dict[str, Any] = {"ticks": ticks} if ticks else {}
    options["format"] = "%g"
    words = given.axis("").strip()
    names = ", ".join(dict.fromkeys(label for label in controls.values() if label))
    yield Figure(
        name=name,
        title=title,
        caption=f"Mean {words} of the control ({names}): the LKG on the test set and its bounty, "
        "the best of all looks at validation. Colours follow the logarithm of the error."
        if norm is not None
        else f"Mean {words} of the control ({names}).{given.direction}",
        figure=tile_map(given.families, tuple(rows.values()), tile, scale=(mapping, words, options)),
    )


def _moments(summary: CellSummary, metric: str) -> Moments | None:
    return summary.test if metric == "test" else summary.bounty


def _stretch(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log10(np.maximum(100.5 - np.asarray(accuracy, dtype=float), 1e-3))


def _shrink(stretched: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(100.5 - np.power(10.0, -np.asarray(stretched, dtype=float)))


def effect(given: FigureInput) -> Iterator[Figure]:
    """Mean difference to control, and which of them are claims."""
    name, title = "ablation-effect", "Effect of each intervention"
    found = {(a, c.treatment): c for a, g in given.groups.items() for c in g.comparisons.values()}
    rows = tuple(label for label in given.labels if any(label == key[1] for key in found))
    if not found:
        yield Figure(name=name, title=title, left_out="no treatment has a control")
        return
    values = np.abs([one.difference.value for one in found.values()])
    small = _small(values, given.metric)
    most = max(float(values.max()), small)
    mapping = ScalarMappable(SymLogNorm(small, linscale=0.6, vmin=-most, vmax=most), style.DIVERGING)

    def tile(architecture: Architecture, row: str) -> Tile:
        one = found.get((architecture, row))
        if one is None:
            return NO_VALUE
        if not one.tested:
            return Tile("white", "inert" if one.finding == "inert" else "=")
        claimed = one.finding in ("better", "worse")
        text = _signed(one.difference.value, given.metric) + ("*" if claimed else "")
        colour = style.colour_of(mapping, given.metric.sign * one.difference.value)
        return Tile(colour, text, bold=claimed)

    ticks = [s * t for t in (small, 10 * small, 100 * small) for s in (-1, 1) if t <= most]
    options = {"ticks": [0.0, *ticks], "format": "%g"}
    claims = sum(one.finding in ("better", "worse") for one in found.values())
    tested = sum(one.tested for one in found.values())
    controls = ", ".join(dict.fromkeys(one.control for one in found.values()))
    yield Figure(
        name=name,
        title=title,
        caption=f"Mean difference of the {given.metric_name} to {controls}{given.in_points}."
        f"{given.direction}{'' if given.metric.sign > 0 else ' Colours show what is better.'} Bold with an "
        f"asterisk: better or worse than control at {given.analysis.alpha:g} by exact tests, all verdicts "
        f"together ({claims} of {tested}); all others are undecided. inert: the treatment never acted; "
        "=: equal to control in every trial.",
        figure=tile_map(
            given.families,
            rows,
            tile,
            scale=(mapping, f"{_against(given)}{given.points}", options),
        ),
    )


def _against(given: FigureInput) -> str:
    return "difference to control" if given.metric.sign > 0 else "improvement on control"


def _small(values: NDArray[np.float64], metric: Metric) -> float:
    """Up to where colours change evenly: a tenth of a point, or a hundredth of the largest effect."""
    if metric.in_points or not values.max():
        return 0.1
    return float(10.0 ** (math.floor(math.log10(values.max())) - 1))


def _signed(value: float, metric: Metric) -> str:
    if not metric.in_points:
        return f"{value:+.2g}".replace("-", "−")
    text = f"{value:+.1f}" if abs(value) >= 9.95 else f"{value:+.2f}"
    return ("0.00" if text in ("+0.00", "-0.00") else text).replace("-", "−")


def _number(value: float, metric: Metric, digits: int) -> str:
    return f"{value:.{digits}f}" if metric.in_points else f"{value:.3g}"


def instability(given: FigureInput) -> Iterator[Figure]:
    """How much trials of one cell differ."""
    name, title = "instability", "Instability over trials"
    test = given.results.metric == "test"
    stds = {
        (a, label): found.std
        for a, g in given.groups.items()
        for label, summary in g.cells.items()
        if (found := summary.test if test else summary.bounty) and found.n > 1
    }
    if not stds:
        yield Figure(name=name, title=title, left_out="no treatment has two finished trials")
        return
    most = max(*stds.values(), 0.1 if given.metric.in_points else 0.0) or 1.0
    mapping = ScalarMappable(PowerNorm(0.4, 0.0, most), style.SEQUENTIAL)

    def tile(architecture: Architecture, row: str) -> Tile:
        std = stds.get((architecture, row))
        if std is None:
            return NO_VALUE
        return Tile(style.colour_of(mapping, std), _number(std, given.metric, 1 if std >= 9.95 else 2))

    options: dict[str, Any] = {"format": "%g"}
    options["ticks"] = MaxNLocator(2)
    if given.metric.in_points:
        options["ticks"] = [t for t in (0, 0.1, 0.5, 2, 5, 10, 20, 40) if t <= most]
    rows = tuple(label for label in given.labels if any(label == key[1] for key in stds))
    yield Figure(
        name=name,
        title=title,
        caption=f"Standard deviation over trials (ddof 0) of the {given.metric_name}{given.in_points}.",
        figure=tile_map(
            given.families, rows, tile, scale=(mapping, f"standard deviation{given.points}", options)
        ),
    )


def winner(given: FigureInput) -> Iterator[Figure]:
    """Which treatment is best, where one is."""
    name, title = "winning-mode", "Winning treatment"
    winners = {a: g.winner for a, g in given.groups.items() if g.winner and g.winner.runner_up}
    if not winners:
        yield Figure(name=name, title=title, left_out="no architecture has two treatments to compare")
        return
    labels = tuple(
        label for label in given.labels if any(w.decided and w.label == label for w in winners.values())
    )

    def tile(architecture: Architecture, _: str) -> Tile:
        if given.groups[architecture].learns is False:
            return Tile(REGIMES[FAILURE], "")
        best = winners.get(architecture)
        if best is None:
            return NO_VALUE
        return Tile(given.looks[best.label].colour, best.label, bold=True) if best.decided else UNDECIDED

    stuck = any(given.groups[a].learns is False for a in winners)
    key = [(label, Tile(given.looks[label].colour)) for label in labels]
    learning = [w for a, w in winners.items() if given.groups[a].learns is not False]
    decided = sum(w.decided for w in learning)
    key += [("undecided", UNDECIDED)] if decided < len(learning) else []
    key += [("no trial beats chance", Tile(REGIMES[FAILURE]))] if stuck else []
    longest = max((len(label) for label in labels), default=0)
    best = "highest" if given.metric.sign > 0 else "lowest"
    yield Figure(
        name=name,
        title=title,
        caption=f"The treatment with the {best} mean {given.metric_name}, where it beats every other "
        f"one at {given.analysis.alpha:g} ({decided} of {len(learning)} architectures that learn); elsewhere "
        "the data leave it undecided. Inert treatments equal control, so control cannot beat them.",
        figure=tile_map(given.families, ("",), tile, key=key, height=min(max(0.37, 0.065 * longest), 1.1)),
    )


def regimes(given: FigureInput) -> Iterator[Figure]:
    """The training regime by both published rule sets, and how often resampled trials give the same label."""
    name, title = "regimes", "Training regimes"
    if not any(g.regimes for g in given.groups.values()):
        yield Figure(name=name, title=title, left_out="none of the six published treatments was tried")
        return
    seen: dict[str, None] = {}
    for group in given.groups.values():
        seen |= dict.fromkeys(found.label for found in group.regimes.values())

    def tile(architecture: Architecture, row: str) -> Tile:
        found = given.groups[architecture].regimes.get(row.removesuffix(" rules"))
        if found is None:
            return NO_VALUE
        if found.label == NOT_JUDGED:
            return Tile(REGIMES[NOT_JUDGED], "–")
        shown = math.floor(100 * found.confidence + 0.5)
        return Tile(REGIMES.get(found.label, style.NOTHING), f"{shown}", hatched=found.confidence < SURE)

    rows = tuple(f"{rules} rules" for rules in ("paper", "code"))
    key = [(label, Tile(colour)) for label, colour in REGIMES.items() if label in seen]
    if any(one.confidence < SURE for group in given.groups.values() for one in group.regimes.values()):
        key.append((f"label in under {100 * SURE:g} %", Tile("#9A9A9A", hatched=True)))
    missing = {mode for g in given.groups.values() for found in g.regimes.values() for mode in found.missing}
    caption = (
        "Regime of each architecture by the rules of the paper and by those of its published code, on the "
        "bounty. Numbers: percent of bootstrap resamples of the trials that give the same label."
    )
    if missing:
        caption += (
            f" Modes not tried somewhere: {', '.join(sorted(missing))}; rules that need them are not judged."
        )
    yield Figure(
        name=name, title=title, caption=caption, figure=tile_map(given.families, rows, tile, key=key)
    )
