"""The original project's commands for tables and figures: its names and flags, this project's reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.options import ONE_STUDY, Options, argument, command, option
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.architecture import Architecture
    from frustration.report.figures.inputs import Figure, FigureInput
    from frustration.report.results import StudyResults

CONFIGURATIONS = Path("reproduction/configurations.txt")
TRIALS = Path("results/psa_simplemlp_trials.md")
HEATMAPS = {
    "baseline": "SimpleMLP_Heatmap_Baseline_Performance",
    "effect": "SimpleMLP_Heatmap_Ablation_Effects",
    "instability": "SimpleMLP_Heatmap_Instability",
    "winner": "SimpleMLP_Heatmap_Winning_Strategy",
    "parameter_matching": "SimpleMLP_Heatmap_Parameter_Matching",
    "regimes": "SimpleMLP_Heatmap_Regimes",
}
"""Painter -> the original's name of its figure."""
DESIGN_SPACE = Path("results/SimpleMLP_Testing_Design_Space.png")
CONVERGENCE = "SimpleMLP_Plot_Convergence"
TARGETS = "1*1024,18*18"
"""The architectures whose curves the paper shows."""


class Configurations(Options):
    config_file: Path | None = option(
        f"architectures, one a line (default: {CONFIGURATIONS}, or the published grid)",
        read=Path,
        metavar="FILE",
    )


class Source(Options):
    study: str | None = argument(ONE_STUDY, None, metavar="STUDY")
    trials_file: Path | None = option(f"a trials file instead (default: {TRIALS})", read=Path, metavar="FILE")


class Output(Options):
    output_dir: Path = option("default: results/", Path("results"), read=Path, metavar="DIR")


class ArchitectureTableOptions(Configurations):
    """Print a LaTeX table of architectures and their parameters."""

    command = "make-architecture-table"


class AccuracyTableOptions(Source):
    """Print a LaTeX table of bounties: mean, std and, where it is significant, the winner."""

    command = "make-trial-accuracy-table"

    trials_file: Path | None = option(
        f"a trials file instead (default: {TRIALS})", flag="--datafile", read=Path, metavar="FILE"
    )
    order: Path | None = option("architectures in the order wanted", read=Path, metavar="FILE")
    caption: str | None = option("the table's caption", metavar="LATEX")
    label: str | None = option("the table's label (default: results_summary_stats)", metavar="LABEL")


class DesignSpaceOptions(Configurations):
    """Draw depth against width of all architectures."""

    command = "make-figure-design-space"

    output_file: Path = option(f"default: {DESIGN_SPACE}", DESIGN_SPACE, read=Path, metavar="PNG")


class HeatmapsOptions(Source, Output):
    """Draw the six maps of the design space."""

    command = "make-figure-heatmaps"

    config_file: Path | None = option("draw the architectures in this file only", read=Path, metavar="FILE")


class ConvergenceOptions(Output):
    """Draw the learning curves of all trials. A trials file has no curves, so this needs a study."""

    command = "make-convergence-plots"

    study: str | None = argument(f"{ONE_STUDY} (default: the newest)", None, metavar="STUDY")
    targets: str | None = option(
        f"architectures (default: {TARGETS} where the study has them, else all that it has)", metavar="LIST"
    )


def _architecture_table(options: ArchitectureTableOptions) -> int:
    from frustration.report.latex import architecture_table as table

    print(table(_architectures(options)), end="")
    return 0


def _accuracy_table(options: AccuracyTableOptions) -> int:
    from frustration.report.analysis import analyse
    from frustration.report.latex import accuracy_table as table

    groups = analyse(_results(options)).groups
    if options.order is not None:
        order = list(_from_file(options.order))
        groups = tuple(
            sorted((g for g in groups if g.architecture in order), key=lambda g: order.index(g.architecture))
        )
    words = {"caption": options.caption, "label": options.label and f"tab:{options.label}"}
    print(table(groups, **{name: text for name, text in words.items() if text}), end="")
    return 0


def _design_space(options: DesignSpaceOptions) -> int:
    from frustration.original.grid import grid_results
    from frustration.report.figures.design import design_space as paint

    results = grid_results(_architectures(options))
    return _draw(results, [(paint, options.output_file.stem)], options.output_file.parent)


def _heatmaps(options: HeatmapsOptions) -> int:
    from dataclasses import replace

    from frustration.report.figures import design, maps

    results = _results(options)
    if options.config_file is not None:
        wanted = set(_from_file(options.config_file))
        results = replace(results, cells=tuple(c for c in results.cells if c.architecture in wanted))
    painters = {
        "baseline": maps.baseline,
        "effect": maps.effect,
        "instability": maps.instability,
        "winner": maps.winner,
        "parameter_matching": design.parameter_matching,
        "regimes": maps.regimes,
    }
    return _draw(results, [(painters[name], file) for name, file in HEATMAPS.items()], options.output_dir)


def _convergence(options: ConvergenceOptions) -> int:
    from dataclasses import replace

    from frustration.architecture import Architecture
    from frustration.report.figures.curves import learning_curves
    from frustration.report.writing import study_named

    results = study_named(options.study or _newest(Path("results")), Path("results"))
    targets = options.targets or TARGETS
    wanted = [Architecture.parse(text.strip()) for text in targets.split(",") if text.strip()]
    cells = tuple(cell for cell in results.cells if cell.architecture in wanted)
    if not cells and options.targets is None:
        cells = results.cells
    if not cells:
        there = ", ".join(map(str, results.architectures))
        raise InputError(f"--targets {options.targets}: {results.name} has none of them; it has {there}")
    return _draw(replace(results, cells=cells), [(learning_curves, CONVERGENCE)], options.output_dir)


def _newest(results: Path) -> str:
    """The study that was run last."""
    found = sorted(results.glob("*/study.toml"), key=lambda path: path.parent.stat().st_mtime)
    if not found:
        raise InputError(f"{results} holds no study; `frustration study run` makes one")
    return str(found[-1].parent)


def _draw(
    results: StudyResults, painters: list[tuple[Callable[[FigureInput], Iterator[Figure]], str]], folder: Path
) -> int:
    """Each figure of the first setting, under the original's name; says what is drawn and what is not."""
    from frustration.files import make_folder
    from frustration.report.analysis import analyse
    from frustration.report.figures import style
    from frustration.report.figures.inputs import FigureInput

    make_folder(folder)
    with style.drawing():
        given = FigureInput(results=results, analysis=analyse(results), setting=results.settings[0])
        for paint, name in painters:
            for number, plate in enumerate(paint(given), start=1):
                if plate.figure is None:
                    print(f"{name}: not drawn, because {plate.left_out}")
                    continue
                file = name if number == 1 else f"{name}_{number}"
                print(style.write(plate.figure, folder, file)[0])
    return 0


def _architectures(options: Configurations) -> list[Architecture]:
    if options.config_file is None and not CONFIGURATIONS.is_file():
        from frustration.study.architecture_sets import SETS

        return list(SETS["paper-98"])
    return list(_from_file(options.config_file or CONFIGURATIONS))


def _from_file(path: Path) -> tuple[Architecture, ...]:
    from frustration.study.architecture_sets import architectures

    return architectures([f"@{path.name}"], path.parent)


def _results(options: Source) -> StudyResults:
    """Of the study, or of the trials file; of a summary, the trials file beside it is read."""
    from frustration.original.published import read_trials_file
    from frustration.original.tables import SUMMARY
    from frustration.original.tables import TRIALS as NAME
    from frustration.report.writing import study_named

    if options.study is not None and options.trials_file is not None:
        raise InputError("a study and a trials file cannot go together; give one of them")
    if options.study is not None:
        return study_named(options.study, Path("results"))
    path = options.trials_file or TRIALS
    if path.name == SUMMARY:  # it has no trials to test; the file beside it has
        path = path.with_name(NAME)
    return read_trials_file(path)


architecture_table = command(ArchitectureTableOptions, _architecture_table)
accuracy_table = command(AccuracyTableOptions, _accuracy_table)
design_space = command(DesignSpaceOptions, _design_space)
heatmaps = command(HeatmapsOptions, _heatmaps)
convergence = command(ConvergenceOptions, _convergence)
