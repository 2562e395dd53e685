"""The Python face of `train`: what the command does, in one call with typed results."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from frustration.any_network import Problem
from frustration.architecture import Architecture
from frustration.dataset import Split, make_split
from frustration.references import ProblemReference
from frustration.request import Request
from frustration.runners.events import SessionEvent
from frustration.session import Outcome
from frustration.session import train as run_session
from frustration.spec import subject_of


def train(
    architecture: str | Architecture | Problem,
    modes: str | Sequence[str] = "none",
    *,
    trials: int | None = None,
    meta_loops: int = 100,
    until: int | None = None,
    seed: int | None = None,
    dataset: str | Split | Any = "mnist",
    train_fraction: float = 1.0,
    learning_rate: float = 1e-4,
    batch_size: int = 256,
    loop_steps: int | None = None,
    optimizer: str | None = None,
    acceptance: str | None = None,
    knobs: Mapping[str, Mapping[str, Any]] | None = None,
    backend: str | None = None,
    device: str | None = None,
    threads: int | None = None,
    model_dir: str | Path = "models",
    fresh: bool = False,
    continue_with_new_settings: bool = False,
    accept_numerics: bool = False,
    emit: Callable[[SessionEvent], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Train one network, or a paired comparison of modes, and return one record per trial.

    What is trained is a SimpleMLP by its architecture, or a problem: one in hand, or `images:CNN`.

    Checkpoints lie in `model_dir` and are resumed from there, exactly as with the command `train`, whose
    flags these are. What was trained with other settings is refused: give each its own `model_dir`.
    `dataset`: a name, a file ("data.csv:label"), a Split, or what `make_split` takes: arrays (X, y).
    `emit` is called with what happens as it happens; setting `stop` ends the session cleanly after the
    current step.
    """
    subject = architecture.reference() if isinstance(architecture, Problem) else architecture
    if isinstance(subject, str):
        subject = subject_of(subject)
    if isinstance(subject, ProblemReference):
        dataset = subject.dataset
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
        device=device,
        threads=threads,
        model_dir=Path(model_dir),
        fresh=fresh,
        continue_with_new_settings=continue_with_new_settings,
        accept_numerics=accept_numerics,
    )
    return run_session(request, emit, stop)
