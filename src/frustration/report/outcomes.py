"""A cell of which only the outcomes of trials are known: no loops, no records."""

from __future__ import annotations

import numpy as np

from frustration.architecture import Architecture
from frustration.references import ProblemReference
from frustration.report.results import Cell, Floats, Ints, Setting


def outcome_cell(
    setting: Setting,
    architecture: Architecture | ProblemReference,
    label: str,
    trial: Ints,
    *,
    control: str = "none",
    bounty: Floats | None = None,
    test: Floats | None = None,
) -> Cell:
    """By trial number: `trial`, `bounty` and `test` are (trials,); None is not known."""
    n = len(trial)
    unknown = np.full(n, np.nan)
    plain = architecture if isinstance(architecture, Architecture) else None
    flops = np.full(n, float(plain.flops())) if plain else unknown
    return Cell(
        setting=setting,
        architecture=architecture,  # type: ignore[arg-type]  # as in all reports of problems
        label=label,
        modes=(label,),
        treatments=() if label == control else (label,),
        knobs=({"mode": label},),
        program=label,
        policies=("fresh", "strict", "epochs"),
        departures="",
        controls=(control,),
        trial=trial,
        ids=("",) * n,
        bounty=unknown if bounty is None else bounty,
        bounty_loop=unknown,
        test_accuracy=unknown if test is None else test,
        parameters=np.full(n, float(plain.parameters())) if plain else unknown,
        flops=flops,
        training_flops=flops * setting.meta_loops,
        seconds=unknown,
        loops=np.full(n, setting.meta_loops),
        ended_early=np.zeros(n, dtype=bool),
        inert=((),) * n,
        diverged=np.zeros(n, dtype=np.int64),
        backends=("",) * n,
        growth=(None,) * n,
        courses=("",) * n,
        curves=None,
    )
