"""How a study's report is made: declared in its definition, before there are results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from frustration.errors import InputError
from frustration.sinks import shown


@dataclass(frozen=True, kw_only=True)
class AnalysisPlan:
    """The table `[analysis]` of a study; what it leaves out is as in every report."""

    questions: tuple[str, ...] = ()
    """The modes whose sentences share the error rate of the page; the rest is tables. (): all treatments."""
    control: str | None = None
    """The mode that is set beside all others."""
    choose_rate: bool = False
    """Whether each arm is taken at the learning rate that is best for it on validation."""
    pilot: int = 0
    """Trials of every arm at all rates; later ones are run at the rate that these chose. 0: all."""

    @classmethod
    def read(cls, table: Any) -> Self:
        """From TOML; InputError names what cannot be read."""
        example = 'questions = ["hidden"], control = "plain", choose_rate = true'
        if not isinstance(table, dict):
            raise InputError(f"analysis is a table: [analysis] and under it {example}")
        if unknown := sorted(table.keys() - cls.__dataclass_fields__.keys()):
            raise InputError(f'[analysis] has no key "{shown(unknown[0])[1:-1]}"; it has {example}')
        questions, control = table.get("questions", []), table.get("control")
        if not isinstance(questions, list) or not all(isinstance(one, str) for one in questions):
            raise InputError(f"questions are a list of modes, not {shown(questions)}")
        if not isinstance(control, (str, type(None))):
            raise InputError(f"control is a mode, not {shown(control)}")
        if not isinstance(choose := table.get("choose_rate", False), bool):
            raise InputError(f"choose_rate is true or false, not {shown(choose)}")
        if type(pilot := table.get("pilot", 0)) is not int or pilot < 0:
            raise InputError(f"pilot is a number of trials, not {shown(pilot)}")
        return cls(questions=tuple(questions), control=control, choose_rate=choose, pilot=pilot)

    def to_table(self) -> dict[str, Any]:
        """What differs from an empty plan."""
        said = {
            "questions": list(self.questions),
            "control": self.control,
            "choose_rate": self.choose_rate,
            "pilot": self.pilot,
        }
        return {key: value for key, value in said.items() if value}

    @property
    def named(self) -> tuple[str, ...]:
        """Every mode that it names."""
        return (*self.questions, *([self.control] if self.control else []))

    def check(self, modes: Sequence[str], rates: Sequence[float]) -> None:
        """Raise InputError where it names anything that the study does not have."""
        for mode in self.named:
            if mode not in modes:
                raise InputError(f'[analysis] names "{mode}", which is none of the modes')
        if self.choose_rate and len(rates) < 2:
            raise InputError("[analysis] is to choose among learning rates, and the study has one")
        if self.pilot and not self.choose_rate:
            raise InputError("[analysis] has a pilot, which chooses learning rates: choose_rate = true")

    def labelled(self, labels: Mapping[str, str]) -> Self:
        """The same with the labels of treatments in place of modes as they were written."""
        return replace(
            self,
            questions=tuple(labels.get(mode, mode) for mode in self.questions),
            control=labels.get(self.control, self.control) if self.control else None,
        )


AS_USUAL = AnalysisPlan()
