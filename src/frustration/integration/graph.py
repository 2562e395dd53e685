"""Four panels of a run: scores, the best of each size, the learning rate, tries taken back."""

from __future__ import annotations

from pathlib import Path

from frustration.errors import InputError
from frustration.files import write_atomically
from frustration.integration.results import Run


def draw(runs: list[Run], path: Path) -> None:
    """Writes the figure as PNG."""
    if not runs:
        raise InputError("the four panels are of the library's files; `frustration report` draws a study's")
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    scores, sizes, rates, tries = figure.subplots(2, 2).flat
    for run in runs:
        scores.plot(run.final.scores, label=f"{run.name}: validation")
        for name, values in run.final.extra.items():
            scores.plot(values, linewidth=0.8, label=f"{run.name}: {name}")
        for epoch in run.final.switches:
            scores.axvline(epoch, color="grey", linewidth=0.8, linestyle=":")
        best = run.final.architectures
        sizes.plot([a.parameters for a in best], [a.score for a in best], marker="o", label=run.name)
        rates.plot(run.final.learning_rates, label=run.name)
        for number, group in enumerate(run.failed, 1):
            start = group.switches[-1] + 1 if group.switches else 0
            tries.plot(
                range(start, len(group.scores)), group.scores[start:], label=f"{run.name}: try {number}"
            )
    for axes, title, across in (
        (scores, "Scores; dotted: a dendrite was kept", "epoch"),
        (sizes, "Best validation score of each size", "parameters"),
        (rates, "Learning rate", "epoch"),
        (tries, "Tries that were taken back", "epoch"),
    ):
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(across)
        if axes.get_lines():
            axes.legend(fontsize=7)
        else:
            axes.text(0.5, 0.5, "none", ha="center", transform=axes.transAxes)
            axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_atomically(path, buffer.getvalue())
