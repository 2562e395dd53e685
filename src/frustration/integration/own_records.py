"""The trials of a study or of `train`: what dendrites gave against their controls and against more width."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from frustration.integration.results import Analysis

if TYPE_CHECKING:
    from frustration.report.results import Cell, StudyResults


def read_own(folder: Path) -> StudyResults | None:
    """The trials in a folder; None where it holds none of ours."""
    from frustration.report.sessions import holds_sessions
    from frustration.report.writing import study_named

    ours = (folder / "study.toml").is_file() or holds_sessions(folder)
    return study_named(str(folder), folder) if ours else None


def analyze_own(results: StudyResults) -> Analysis:
    """For each network its arms, and for those that grew the differences trial by trial."""
    from frustration.report.arms import widened

    found = Analysis([])
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in results.cells:
        groups.setdefault((str(cell.setting), str(cell.architecture)), []).append(cell)
    for (_, network), cells in groups.items():
        first = next((cell for cell in cells if not cell.treatments and widened(cell) is None), None)
        for cell in cells:
            gained = None if first is None or cell is first else _differences(cell, first)
            found.rows.append(_row(cell, network, gained))
        for cell in (one for one in cells if one.grows):
            if first is None:
                found.advice.append(f"{network}: train a control (`none`) with the same trials")
            else:
                found.sentences.append(_sentence(network, cell, first, "no dendrites"))
            wide = [one for one in cells if widened(one) is not None]
            for other in wide:
                found.sentences.append(_sentence(network, cell, other, "an ordinary wider network"))
            if not wide:
                found.advice.append(
                    f"{network}: {cell.label} adds parameters, and an ordinary wider network does that too: "
                    "add the arm wide@1"
                )
    if not any(cell.grows for cell in results.cells):
        found.sentences.append(f"in {results.name} no network has grown")
    return found


def _differences(cell: Cell, other: Cell) -> np.ndarray:
    """Test scores of the same trials, above 0 where the first arm is better, (trials,)."""
    from frustration.report.comparisons import paired_values

    pair = paired_values(cell.trial, cell.test_accuracy, other.trial, other.test_accuracy, paired=True)
    return np.empty(0) if pair is None else cell.setting.metric.sign * pair.differences


def _row(cell: Cell, network: str, gained: np.ndarray | None) -> tuple[str, ...]:
    added = [growth.added for growth in cell.growth if growth is not None]
    return (
        f"{network}: {cell.label} (n = {cell.n})",
        f"{np.mean(added):.2g}" if added else "0",
        f"{np.nanmean(cell.parameters):,.0f}",
        f"{np.nanmean(cell.bounty):.6g}",
        "" if gained is None or not len(gained) else f"{gained.mean():+.4g}",
        "",
    )


def _sentence(network: str, cell: Cell, other: Cell, what: str) -> str:
    from frustration.statistics.paired import sign_flip, t_interval

    values: Sequence[float] = _differences(cell, other).tolist()
    about = f"{network}: {cell.label} against {other.label} ({what})"
    if len(values) < 2:
        return f"{about}: {len(values)} common trials; whether a difference is noise cannot be said"
    interval, test = t_interval(values), sign_flip(values)
    verdict = (
        "not distinguishable from noise between seeds"
        if test.p >= 0.05
        else f"{'better' if interval.value > 0 else 'worse'}, more than noise between seeds"
    )
    return (
        f"{about}: test {interval.value:+.4g} in {len(values)} trials (95 % interval {interval.low:+.4g} to "
        f"{interval.high:+.4g}; exact sign flips p = {test.p:.3g}): {verdict}; "
        f"{np.nanmean(cell.parameters):,.0f} against {np.nanmean(other.parameters):,.0f} parameters"
    )
