"""What the doctor says of a script: a list of steps, each with its state, its line and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["done", "missing", "wrong", "undecided", "not needed"]
Action = Literal["none", "edit", "option", "hand", "look"]

STEPS: Final[dict[str, str]] = {
    "imports": "the library's settings and functions are imported",
    "configuration": "settings: no questions, which layers, which axis",
    "model": "the network is given its dendrites where it is complete",
    "direction": "whether a higher score is better",
    "parallel": "DataParallel, DistributedDataParallel, torch.compile",
    "optimizer": "the tracker knows the optimizer",
    "scheduler": "the schedulers are made anew with the optimizer",
    "score": "every evaluation is reported",
    "rebuild": "after growth there is a new optimizer over the new parameters",
    "end": "training ends when the library says so, not before",
    "saving": "checkpoints fit a network that has grown",
}
"""The steps of an integration in their order, and what each is for."""

ESSENTIAL: Final = frozenset(
    {"imports", "configuration", "model", "direction", "optimizer", "score", "rebuild"}
)
"""Steps that nothing is written without: an undecided one leaves the file as it is."""


@dataclass(frozen=True)
class Step:
    """One line of the list."""

    name: str
    state: State
    reason: str
    line: int = 0
    """In the script as it is, or in `file`; 0: nowhere in it."""
    action: Action = "none"
    """edit: made by --write; option: an option decides; hand: told, and left to a person;
    look: a use that nothing explains."""
    edit: tuple[str, ...] = ()
    """The lines that are added."""
    option: str = ""
    file: str = ""
    """The file beside the script that the line is in, seen from its folder; empty: the script."""

    @property
    def place(self) -> str:
        """Where it is, in words; empty: nowhere."""
        where = f"line {self.line}" if self.line else ""
        return f"{self.file}, {where}" if self.file else where

    def as_json(self) -> dict[str, Any]:
        return {
            "step": self.name,
            "file": self.file,
            "state": self.state,
            "line": self.line,
            "reason": self.reason,
            "action": self.action,
            "edit": list(self.edit),
            "option": self.option,
        }


def hand(name: str, reason: str, line: int = 0) -> Step:
    """What is told, and left to a person."""
    return Step(name, "undecided", reason, line, "hand")


@dataclass
class Report:
    """All steps of one script, and the script as it would be."""

    script: str
    kind: str
    target: str
    before: str
    after: str
    steps: list[Step] = field(default_factory=list)
    refused: str = ""
    """Why this script is not edited at all."""

    def state(self, name: str) -> State:
        """The worst state of a step's entries."""
        order: tuple[State, ...] = ("wrong", "undecided", "missing", "done", "not needed")
        states = [step.state for step in self.steps if step.name == name and step.action != "look"]
        return next((state for state in order if state in states), "not needed")

    @property
    def undecided(self) -> list[Step]:
        """What has to be decided before anything is written."""
        return [
            s for s in self.steps if s.state == "undecided" and s.action == "option" and s.name in ESSENTIAL
        ]

    def left_out(self, line: int, more: tuple[str, ...] = ()) -> None:
        """A step of which nothing was said could not be examined, and that is said."""
        own = ("imports", "model", "direction", "score", "end")
        wanted = (
            (*own, "configuration", "optimizer", "rebuild", *more) if "perforatedai" in self.target else own
        )
        for name in wanted:
            if all(step.name != name for step in self.steps):
                self.steps.append(hand(name, "not examined before the other questions are answered", line))

    @property
    def changed(self) -> bool:
        return self.after != self.before

    def as_json(self) -> dict[str, Any]:
        return {
            "script": self.script,
            "kind": self.kind,
            "target": self.target,
            "refused": self.refused,
            "steps": [step.as_json() for step in self.steps],
        }

    def sorted(self) -> None:
        """In the order of an integration, and then of the text."""
        order = list(STEPS)
        self.steps.sort(key=lambda step: (order.index(step.name), step.file, step.line))
