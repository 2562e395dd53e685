"""Fault tolerance: accuracy of kept networks against silenced units, noisy weights, corrupted images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.report.cells import mean_of
from frustration.report.figures import panels, style
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput, ends
from frustration.report.figures.mode_style import Look

Floats = NDArray[np.float64]
Curve = tuple[tuple[float, ...], Floats]
"""Levels of damage and the accuracy (percent) at each."""
Measures = Mapping[str, Any]

FEW: Final = 4
"""Up to this many architectures get a row each; of more, the mean is drawn."""


def _knockout(measures: Measures) -> Curve:
    taken = measures["knockout"]
    return tuple(100.0 * f for f in taken["settings"]["fractions"]), _floats(taken["accuracy"])


def _weight_noise(measures: Measures) -> Curve:
    taken = measures["weight_noise"]
    return tuple(map(float, taken["settings"]["sigmas"])), _floats(taken["accuracy"])


def _corruptions(measures: Measures) -> Curve:
    """Mean over corruptions, by the rank of their strength; 0 is the clean test set where it was measured."""
    by_name = [_floats(values) for values in measures["corruptions"]["accuracy"].values()]
    if len({len(values) for values in by_name}) != 1:
        raise KeyError("corruptions of unequal numbers of strengths")
    return tuple(float(rank) for rank in range(1, len(by_name[0]) + 1)), np.mean(by_name, axis=0)


_PANELS: Final[tuple[tuple[str, str, Callable[[Measures], Curve]], ...]] = (
    ("silenced units", "hidden units silenced (%)", _knockout),
    ("noisy weights", "relative noise on every weight", _weight_noise),
    ("corrupted images", "strength of corruption", _corruptions),
)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def fault_tolerance(given: FigureInput) -> Iterator[Figure]:
    """Mean accuracy of the kept networks as more of them, or of their input, is damaged."""
    name, title = "fault-tolerance", "Fault tolerance"
    if not given.results.probes:
        why = "the kept networks have not been probed (`frustration probe STUDY` does that)"
        yield Figure(name=name, title=title, left_out=why)
        return
    found = {
        (panel, architecture, label): curves
        for panel, (_, _, read) in enumerate(_PANELS)
        for architecture in given.architectures
        for label in given.labels
        if (curves := _curves(given, architecture, label, read)) is not None
    }
    columns = sorted({panel for panel, _, _ in found})
    if not columns:
        yield Figure(name=name, title=title, left_out="no probe measured a curve of accuracy against damage")
        return
    order = [a for f in given.families for a in f.members if any(key[1] == a for key in found)]
    rows: list[tuple[str, list[Architecture]]] = [(short(a), [a]) for a in order]
    if len(order) > FEW:
        rows = [(f"mean of {len(order)} architectures", order)]
    labels = tuple(label for label in given.labels if any(key[2] == label for key in found))
    figure, axes = panels.grid(
        len(rows) * len(columns), columns=len(columns), height=2.0, legend_rows=panels.legend_rows(labels),
        width=style.PAGE if len(columns) > 1 else 4.2,
    )  # fmt: skip
    for index, axis in enumerate(axes):
        (words, members), panel = rows[index // len(columns)], columns[index % len(columns)]
        for label in labels:
            arms = [found[panel, a, label] for a in members if (panel, a, label) in found]
            _draw(axis, arms, given.looks[label])
        axis.set_ylim(0, 100)
        axis.set_xlim(left=0 if panel < 2 else None)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=panel == 2))
        panels.mark_panel(
            axis, f"{words}: {_PANELS[panel][0]}" if index % len(columns) == 0 else _PANELS[panel][0]
        )
        if index % len(columns) == 0:
            axis.set_ylabel("test accuracy (%)", labelpad=2)
        if index + len(columns) >= len(axes):
            axis.set_xlabel(_PANELS[panel][1], labelpad=2)
    panels.legend(figure, labels, given.looks)
    yield Figure(
        name=name,
        title=title,
        caption="Test accuracy of the kept networks, mean over trials with pointwise 95 % t intervals "
        "over trials (each trial the mean over its draws"
        + (" and over architectures" if len(order) > FEW else "")
        + "). All treatments of one trial number lose the same units and get the same noise. Tests are in "
        "the tables.",
        figure=figure,
    )


def _curves(
    given: FigureInput, architecture: Architecture, label: str, read: Callable[[Measures], Curve]
) -> dict[int, Curve] | None:
    """By trial number; trials that were probed at other levels than the first are left out."""
    cell = given.cell(architecture, label)
    if cell is None:
        return None
    curves: dict[int, Curve] = {}
    for trial, trial_id in zip(cell.trial, cell.ids, strict=True):
        probe = given.results.probes.get(trial_id)
        try:
            curve = read(probe["measures"]) if probe is not None else None
        except (KeyError, TypeError):  # not measured
            continue
        if curve is not None and (not curves or curve[0] == next(iter(curves.values()))[0]):
            curves[int(trial)] = curve
    return curves or None


def _draw(axes: Axes, arms: Sequence[dict[int, Curve]], look: Look) -> None:
    """The mean over architectures of each trial number, then mean and interval over trial numbers."""
    if not arms:
        return
    levels = next(iter(arms[0].values()))[0]
    numbers = sorted(set.intersection(*(set(arm) for arm in arms)))
    alike = [arm for arm in arms if next(iter(arm.values()))[0] == levels]
    if not numbers:
        return
    per_trial = np.array([np.mean([arm[number][1] for arm in alike], axis=0) for number in numbers])
    means = [mean_of(per_trial[:, level]) for level in range(len(levels))]
    known = [(x, mean) for x, mean in zip(levels, means, strict=True) if mean is not None]
    if not known:
        return
    x = [level for level, _ in known]
    values = np.array([mean.value for _, mean in known])
    low, high = np.array([ends(mean) for _, mean in known]).T
    axes.fill_between(
        x,
        np.maximum(values - low, 0.0),
        np.minimum(values + high, 100.0),
        color=look.colour,
        alpha=0.13,
        linewidth=0,
    )
    axes.plot(x, values, color=look.colour, linestyle=look.dash, marker=look.marker, markersize=2.4)
