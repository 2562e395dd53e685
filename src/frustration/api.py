"""The Python functions `train`, `study`, `report` and `compare`, which do the same as the commands."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frustration import session
from frustration.any_network import Problem
from frustration.architecture import Architecture
from frustration.dataset import Split, make_split
from frustration.errors import InputError
from frustration.face.comparison import Comparison
from frustration.face.notebook import NotebookProgress, in_notebook
from frustration.face.outcome import Outcome, Study
from frustration.face.report import Report
from frustration.references import ProblemReference
from frustration.report.analysis import ALPHA, MARGIN
from frustration.report.results import StudyResults
from frustration.report.runs import Columns, read_runs, rows_of_arrays, runs_of
from frustration.report.writing import default_folder, results_of
from frustration.request import Request
from frustration.runners.events import SessionEvent, SessionStart, StudyEvent
from frustration.runners.stopping import Stopper
from frustration.spec import subject_of
from frustration.study.before_a_run import before_a_run
from frustration.study.definition import Study as Definition
from frustration.study.named import quick_name, study_named
from frustration.study.run import prepare, run_study
from frustration.study.store import Store


def train(
    architecture: str | Architecture | Problem,
    modes: str | Sequence[str] = "none",
    *,
    trials: int | None = None,
    meta_loops: int = 100,
    until: int | None = None,
    seed: int | None = None,
    dataset: str | Split | Any = None,
    train_fraction: float = 1.0,
    learning_rate: float = 1e-4,
    batch_size: int = 256,
    loop_steps: int | None = None,
    optimizer: str | None = None,
    acceptance: str | None = None,
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
    backend: str | None = None,
    stacked: bool = False,
    device: str | None = None,
    threads: int | None = None,
    model_dir: str | Path = "models",
    fresh: bool = False,
    continue_with_new_settings: bool = False,
    accept_numerics: bool = False,
    progress: bool | None = None,
    emit: Callable[[SessionEvent], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Train one network, or a paired comparison of modes, and return one record per trial.

    Checkpoints are kept in `model_dir` and resumed from there, as by the command `train`. What was trained
    with other settings is refused: give each its own `model_dir`. Ctrl-C ends the session after the loop
    under way and returns what is safe, with `interrupted` set.

    Args:
        architecture: `"[1*32]"`, a problem in hand, or the name of one: `"images:CNN"`.
        modes: One or several; several are compared, paired by trial number.
        trials: Trials of each mode.
        meta_loops: Loops to train; a call on a finished checkpoint adds as many.
        until: The total number of loops instead, so that the same call again trains nothing.
        seed: Of all random draws; 0 unless a checkpoint says otherwise.
        dataset: A name, a file (`"data.csv:label"`), a `Split`, or arrays `(X, y)`; None: MNIST, and a
            problem's own, which takes no other.
        train_fraction: Share of the training samples that is used.
        learning_rate: Of the optimizer.
        batch_size: Samples in a step.
        loop_steps: Optimizer steps of a loop; None: an epoch.
        optimizer: `"fresh"`, `"persist"` or `"persist-masked"`; None: the mode's own.
        acceptance: `"strict"`, `"ties"` or `"patience-K"`; None: the mode's own.
        knobs: Knobs for modes that do not name them: `{"dropout": {"p": 0.2}}`.
        backend: `"native"`, `"torch"`, `"reference"`, …; None: the fastest here.
        stacked: Networks of a problem train several as one, if a step of theirs is the plain loop's.
        device: `"cpu"`, `"cuda"` or `"mps"`.
        threads: Worker processes.
        model_dir: The folder of the checkpoints.
        fresh: Start again instead of resuming.
        continue_with_new_settings: Train on although the settings were others; the record says so.
        accept_numerics: Train on although backend or versions differ.
        progress: A bar; None: in notebooks.
        emit: Called with every event.
        stop: Setting it ends the session as Ctrl-C does; with one of your own, Ctrl-C is yours too.
    """
    subject = architecture.reference() if isinstance(architecture, Problem) else architecture
    if isinstance(subject, str):
        subject = subject_of(subject)
    if isinstance(subject, ProblemReference):
        if dataset is not None:
            raise InputError("`dataset` is for architectures: a problem brings its own data (its fields)")
        dataset = subject.dataset
    elif dataset is None:
        dataset = "mnist"
    data = None
    if not isinstance(dataset, str):
        data = dataset if isinstance(dataset, Split) else make_split(dataset)
        dataset = data.name
    request = Request(
        architecture=subject,
        modes=(modes,) if isinstance(modes, str) else tuple(modes),
        trials=trials,
        meta_loops=meta_loops,
        until=until,
        seed=seed,
        dataset=dataset,
        data=data,
        train_fraction=train_fraction,
        learning_rate=learning_rate,
        batch_size=batch_size,
        loop_steps=loop_steps,
        optimizer=optimizer,
        acceptance=acceptance,
        knobs=knobs or {},
        backend=backend,
        stacked=stacked,
        device=device,
        threads=threads,
        model_dir=Path(model_dir),
        fresh=fresh,
        continue_with_new_settings=continue_with_new_settings,
        accept_numerics=accept_numerics,
    )
    with _watched(progress, emit, stop) as (tell, stopping):
        found = session.train(request, tell, stopping)
    for failed in found.failed:
        _say("failed", f"{failed}\n{failed.traceback}")
    return Outcome(**vars(found))


def study(
    definition: str | Path | None = None,
    *,
    architectures: Sequence[str | Architecture] | None = None,
    problems: Sequence[str | Problem] | None = None,
    modes: Sequence[str] | None = None,
    trials: int | None = None,
    meta_loops: int | None = None,
    learning_rate: float | Sequence[float] | None = None,
    dataset: str | Sequence[str] | None = None,
    train_fraction: float | Sequence[float] | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    loop_steps: int | None = None,
    optimizer: str | None = None,
    acceptance: str | None = None,
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
    stacked: bool | None = None,
    name: str | None = None,
    results: str | Path = "results",
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    retry: bool = False,
    progress: bool | None = None,
    emit: Callable[[StudyEvent], None] | None = None,
    stop: threading.Event | None = None,
) -> Study:
    """Run the trials of a study that have no record yet, and return all of it.

    Ctrl-C ends the run cleanly and returns what is done; the same call resumes it.

    Args:
        definition: A TOML file, a preset (`"quickstart"`), or a study in `results`. None: the grid below.
        architectures: The grid, over what the definition says; so are all arguments down to `knobs`.
        problems: Networks of your own, in hand or by name, beside the architectures or instead of them.
        modes: Treatments and their controls.
        trials: In every cell of the grid.
        meta_loops: Of every trial.
        learning_rate: One, or an axis of the grid.
        dataset: One name, or an axis.
        train_fraction: One, or an axis.
        batch_size: Samples in a step.
        seed: Of all random draws.
        loop_steps: Optimizer steps of a loop; None: an epoch.
        optimizer: For modes that do not name theirs.
        acceptance: For modes that do not name theirs.
        knobs: For modes that do not name theirs.
        stacked: As for `train`.
        name: The study's name, which is its folder in `results`; a grid without one is named after itself.
        results: The folder of all studies.
        backend: As for `train`.
        device: As for `train`.
        threads: Worker processes.
        retry: Also run again what has failed.
        progress: A bar; None: in notebooks.
        emit: Called with every event.
        stop: Setting it ends the run as Ctrl-C does.
    """
    given = {
        "architectures": architectures and [str(one) for one in architectures],
        "problems": problems and [_problem(one) for one in problems],
        "modes": modes and list(modes),
        "trials": trials,
        "meta_loops": meta_loops,
        "learning_rate": _axis(learning_rate),
        "dataset": _axis(dataset),
        "train_fraction": _axis(train_fraction),
        "batch_size": batch_size,
        "seed": seed,
        "loop_steps": loop_steps,
        "optimizer": optimizer,
        "acceptance": acceptance,
        "knobs": knobs,
        "stacked": stacked,
        "name": name,
    }
    grid, store = _defined(
        definition, {key: one for key, one in given.items() if one is not None}, Path(results)
    )
    with _watched(progress, emit, stop) as (tell, stopping):
        prepared = prepare(grid, backend, device)
        for sentence in before_a_run(prepared, store, backend):
            _say("warning", sentence)
        found = run_study(prepared, store, workers=threads, retry=retry, emit=tell, stop=stopping)
    return Study(definition=grid, root=store.root, **vars(found))


def report(
    source: str | Path | Outcome | Study | Mapping[str, Any] | Any,
    *,
    results: str | Path = "results",
    alpha: float = ALPHA,
    margin: float | None = None,
    control: str | None = None,
    treatment: str | Sequence[str] | None = None,
    score: str | None = None,
    pair: str | Sequence[str] = (),
    group: str | Sequence[str] = (),
    better: str = "higher",
    unit: str = "",
) -> Report:
    """What the tests show of some trials; nothing is written until its `write` is called.

    Args:
        source: An outcome or a study in hand, a study's name or folder, a folder of `train`
            (`"models/1x32"`), or a trials file of the original project. Also runs of any kind: a CSV
            file or a data frame with a row for each, or arrays `{treatment: (runs,) or (runs, tasks)}`.
        results: The folder of all studies.
        alpha: Level of all tests.
        margin: Points within which two arms count as equivalent; of other scores, in their unit.
        control: The arm beside all others.
        treatment: Of a CSV file or a data frame: the column of what is compared, or several.
        score: The column of the number that is compared.
        pair: The column of what belongs together: a seed, a fold. Empty: runs are not paired.
        group: The column within which is compared: a task, a data set.
        better: `"higher"` or `"lower"`.
        unit: Of the scores; `"%"` makes them percentages.
    """
    settings: dict[str, Any] = {
        "alpha": alpha,
        "margin": MARGIN if margin is None else margin,
        "control": control,
    }
    if treatment is not None or isinstance(source, Mapping):
        if treatment is not None and score is None:
            raise InputError("score is missing: the column of the number that is compared")
        columns = Columns(
            treatment=_columns(treatment), score=score or "", pair=_columns(pair), group=_columns(group)
        )
        found = _runs(source, columns, better=better, unit=unit, margin=margin, control=control)
    elif isinstance(source, Outcome | Study):
        return source.report(**settings)
    else:
        found = results_of(str(source), Path(results))
    return Report.noted(found, default_folder(found, Path(results)), **settings)


def compare(
    a: str | Path | Study,
    b: str | Path | Study,
    *,
    results: str | Path = "results",
    alpha: float = ALPHA,
    margin: float = MARGIN,
    across: Sequence[str] = (),
) -> Comparison:
    """Two studies, or trials files of the original project, side by side: what agrees and what differs.

    Args:
        a: A study in hand, its name or folder, or a trials file.
        b: The other one; differences are b minus a.
        results: The folder of all studies.
        alpha: Level of all tests.
        margin: Points within which two arms count as equivalent.
        across: Settings that may differ: `lr`, `batch-size`, `train-fraction`, `meta-loops`, `data`, `knobs`.
    """
    sides = [results_of(str(one.root if isinstance(one, Study) else one), Path(results)) for one in (a, b)]
    return Comparison.of(sides[0], sides[1], alpha=alpha, margin=margin, across=tuple(across))


def _columns(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _runs(source: Any, columns: Columns, **settings: Any) -> StudyResults:
    if isinstance(source, str | Path):
        return read_runs(Path(source), columns, **settings)
    if isinstance(source, Mapping):
        rows, columns = rows_of_arrays(source)
    else:
        rows = source.to_dict("records")
    return runs_of(rows, columns, name="runs", source=Path("runs"), **settings)


def _axis(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _problem(problem: str | Problem) -> Any:
    return problem if isinstance(problem, str) else ProblemReference.of(problem).to_dict()


def _defined(definition: str | Path | None, given: dict[str, Any], results: Path) -> tuple[Definition, Store]:
    """The study and its folder."""
    if definition is None:
        if not given.get("modes") or not (given.get("architectures") or given.get("problems")):
            raise InputError("name a study, or give architectures (or problems) and modes")
        grid = Definition.from_fields({"name": "quick", **given}, "the study", Path())
        if "name" not in given:
            grid = quick_name(grid)
        return grid, Store(results / grid.name)
    grid, store = study_named(str(definition), results)
    if given:
        whole = tomllib.loads(grid.to_toml())
        grid = Definition.from_fields({**whole, **given}, str(definition), Path())
    return grid, store if store and "name" not in given else Store(results / grid.name)


def _say(kind: str, sentence: str) -> None:
    """Print to stderr in the format of the commands."""
    print(f"{kind}: {sentence}", file=sys.stderr)


@contextlib.contextmanager
def _watched(
    progress: bool | None, emit: Callable[[Any], None] | None, stop: threading.Event | None
) -> Iterator[tuple[Callable[[Any], None], threading.Event]]:
    """Where events go, and what ends the run: Ctrl-C, unless the caller has an event of their own."""
    shown = NotebookProgress() if progress or (progress is None and in_notebook()) else None
    with contextlib.ExitStack() as stack:
        stopper = stack.enter_context(Stopper((signal.SIGINT,))) if stop is None else None

        def tell(event: Any) -> None:
            if stopper:
                stopper.training_begins()
            if isinstance(event, SessionStart):
                for sentence in dict.fromkeys(event.notes):
                    _say("note", sentence)
            if shown:
                shown.tell(event)
            if emit:
                emit(event)

        try:
            yield tell, stop or (stopper.event if stopper else threading.Event())
        finally:
            if shown:
                shown.end()
