"""Each arm at its own learning rate: chosen by the mean bounty on validation, compared on the test set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from frustration.architecture import Architecture
from frustration.report.results import Cell, Setting, StudyResults
from frustration.study.pilot import best_rate


def choose_rates(results: StudyResults) -> StudyResults:
    """Of every arm of every architecture the cell with the best mean bounty; of equals the smaller rate."""
    arms: dict[tuple[Setting, Architecture, str], list[Cell]] = {}
    for cell in results.cells:
        anywhere = replace(cell.setting, learning_rate=None)
        arms.setdefault((anywhere, cell.architecture, cell.label), []).append(cell)
    chosen = [
        replace(best, setting=setting, chosen_rate=best.learning_rate)
        for (setting, _, _), cells in arms.items()
        for best in [_best(cells)]
    ]
    rates = tuple(sorted({cell.learning_rate for cell in results.cells}))
    return replace(results, cells=tuple(chosen), rates=rates)


def chosen_sentences(results: StudyResults) -> Iterator[str]:
    """How the rates were chosen, and which they are; nothing where none were."""
    if not results.rates:
        return
    among = ", ".join(f"{rate:g}" for rate in results.rates)
    pilot = f" in the first {results.plan.pilot} trials" if results.plan.pilot else ""
    yield (
        f"Each arm is taken at the learning rate whose mean bounty on validation is best{pilot}, of {among}; "
        f"tests and accuracies are of the test set, which had no say in it."
    )
    for rate in results.rates:
        arms = [cell for cell in results.cells if cell.chosen_rate == rate]
        if arms:
            yield f"{rate:g} was chosen for {len(arms)} of {len(results.cells)} arms."
    edge = max(results.rates)
    if 2 * sum(cell.chosen_rate == edge for cell in results.cells) > len(results.cells):
        yield f"Most arms took the largest rate, {edge:g}: a larger one may be better still."


def _best(cells: list[Cell]) -> Cell:
    """Among those with most trials: a rate that is half run is not compared with one that is done."""
    most = max(cell.n for cell in cells)
    whole = {cell.learning_rate: cell for cell in cells if cell.n == most}
    bounties = {rate: map(float, cell.bounty) for rate, cell in whole.items()}
    return whole[best_rate(bounties, cells[0].setting.metric)]
