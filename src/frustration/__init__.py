"""Frustration Engine: what training interventions do to networks, with what certainty, and at what cost.

import frustration
outcome = frustration.train("[1*32]", modes=["none", "hidden"], trials=4, until=10)
print(outcome.records[0].bounty)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from frustration.version import VERSION

if TYPE_CHECKING:
    from frustration.any_network import Parts, Problem, problem
    from frustration.api import compare, report, study, train
    from frustration.architecture import Architecture, equal_parameter_square, equal_parameter_width
    from frustration.dataset import load as load_dataset
    from frustration.dataset import make_split
    from frustration.errors import FrustrationError, InputError
    from frustration.face.outcome import Outcome, Study
    from frustration.face.report import Report
    from frustration.metric import Metric
    from frustration.record import LoopEntry, TrialRecord
    from frustration.record_reading import read_record
    from frustration.simple_mlp import SimpleMLP
    from frustration.spec import TrialSpec

__version__ = VERSION

_HOMES = {
    "Architecture": "architecture",
    "FrustrationError": "errors",
    "InputError": "errors",
    "LoopEntry": "record",
    "Metric": "metric",
    "Outcome": "face.outcome",
    "Parts": "any_network",
    "Problem": "any_network",
    "Report": "face.report",
    "SimpleMLP": "simple_mlp",
    "Study": "face.outcome",
    "TrialRecord": "record",
    "TrialSpec": "spec",
    "compare": "api",
    "equal_parameter_square": "architecture",
    "equal_parameter_width": "architecture",
    "load_dataset": "dataset",
    "make_split": "dataset",
    "problem": "any_network",
    "read_record": "record_reading",
    "report": "report",
    "study": "study",
    "train": "api",
}

__all__ = [
    "Architecture",
    "FrustrationError",
    "InputError",
    "LoopEntry",
    "Metric",
    "Outcome",
    "Parts",
    "Problem",
    "Report",
    "SimpleMLP",
    "Study",
    "TrialRecord",
    "TrialSpec",
    "compare",
    "equal_parameter_square",
    "equal_parameter_width",
    "load_dataset",
    "make_split",
    "problem",
    "read_record",
    "report",
    "study",
    "train",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import names on first use: torch takes a second, and `--help` need not wait for it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == _HOMES[name]:  # a package that is a function too
        return importlib.import_module(f"{__name__}.{name}")
    attribute = "load" if name == "load_dataset" else name
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), attribute)
