"""What Lightning and transformers' Trainer have in common: a network, a callback, somebody else's loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import libcst as cst

from frustration.integration import library
from frustration.integration.draft import Draft
from frustration.integration.imports import add_imports, import_place
from frustration.integration.layers import find_layers
from frustration.integration.optimizers import LIBRARY_MAKERS
from frustration.integration.present import Present, find_present
from frustration.integration.source import Script, Statement, last
from frustration.integration.steps import Report, Step
from frustration.integration.targets import LIBRARY_GROWTH, Own, Wishes, own


@dataclass
class Framework:
    """One examination of a script whose loop is somebody else's."""

    script: Script
    wishes: Wishes
    report: Report
    draft: Draft = field(init=False)
    present: Present = field(init=False)

    def __post_init__(self) -> None:
        self.draft = Draft(self.script)
        self.present = find_present(self.script, self.wishes)

    @property
    def library(self) -> bool:
        return self.wishes.target == "perforatedai"

    @property
    def own(self) -> Own:
        return own(self.wishes.intervention)

    def add(
        self, name: str, line: int, reason: str, lines: Sequence[str] = (), state: str = "missing"
    ) -> None:
        """A step that is edited, or one that is done where there are no lines."""
        if lines:
            assert state in ("missing", "wrong")
            self.report.steps.append(
                Step(name, "wrong" if state == "wrong" else "missing", reason, line, "edit", tuple(lines))
            )
        else:
            self.report.steps.append(Step(name, "done", reason, line))

    def option(self, name: str, line: int, reason: str, option: str) -> None:
        self.report.steps.append(Step(name, "undecided", reason, line, "option", option=option))

    def imports(self, package: str) -> None:
        """The library's imports, and the callback's for a package."""
        missing = [key for key in ("gpa", "upa") if self.library and not getattr(self.present, key)]
        wanted = [library.IMPORTS[key] for key in missing]
        if not self.has_callback:
            wanted.append(f"from frustration.loops.{package} import {self.own.callback}")
            wanted += [LIBRARY_GROWTH] if self.library else []
        line = self.script.line(import_place(self.script))
        if not wanted:
            self.add("imports", line, "imported")
            return
        add_imports(self.draft, wanted)
        self.add("imports", line + 1, "what the callback and the configuration need", wanted)

    @property
    def grows(self) -> bool:
        """Whether the network gets other parameters, and says itself when it is complete."""
        return bool(self.own.complete)

    @property
    def has_callback(self) -> bool:
        """Whether somebody's callback reports the scores already."""
        return bool(self.script.called(self.own.callback) or (self.library and self.present.scores))

    def callback(self, arguments: str, network: str, better: bool | None) -> str:
        """The making of the callback."""
        options = self.own.options.format(maximize=better, mode=self.wishes.mode)
        if self.library:
            options = f"growth=LibraryGrowth({network}, maximize={better})"
        return f"{self.own.callback}({arguments}, {options})"

    def network(
        self, name: str, creation: Statement | None, place: Statement, after: bool, better: bool | None
    ) -> None:
        """Configuration and model: before the trainer takes the network, or after its creation."""
        line = self.script.line(place)
        if not self.library:
            edit = () if self.has_callback else (self.own.callback,)
            self.add("model", line, f"the callback has {name}", edit)
            return
        layers = find_layers(self.script, None, creation)
        lines = library.configuration(layers, self.present, self.wishes, "")
        wrap = library.perforation(name, self.script, self.present, self.wishes, better, layers)
        if self.present.perforated:
            self.add("model", self.script.line(self.present.perforated[0]), f"{name} has its dendrites")
            wrap = []
        for doubt in layers.doubts if wrap else ():
            if "--output-dimensions" in doubt and not self.wishes.dimensions:
                self.option("configuration", line, doubt, "--output-dimensions")
            elif "--output-dimensions" not in doubt:
                self.report.steps.append(Step("configuration", "undecided", doubt, line, "hand"))
        if lines:
            self.add("configuration", line, layers.reason, lines)
        else:
            self.add("configuration", line, "every question is answered")
        if wrap:
            self.add("model", line, f"{name} is complete here, and no trainer has taken it yet", wrap)
        if self.present.perforated and lines:
            self.draft.before(self.script.statement(self.present.perforated[0]), "\n".join(lines))
        elif wrap:
            write = self.draft.after if after else self.draft.before
            write(place, "\n".join([*lines, *wrap]), comment=library.HEADING)

    def direction(self, line: int, metric: str, better: bool, why: str) -> None:
        reason = f"a {'higher' if better else 'lower'} {metric} is better: {why}"
        edit = () if self.present.perforated or self.has_callback else (f"maximizing_score={better}",)
        self.add("direction", line, reason, edit)

    def finish(self) -> Report:
        if self.report.undecided:
            self.report.left_out(self.report.undecided[0].line)
        self.report.sorted()
        if not self.report.undecided:
            self.report.after = self.draft.write()
        return self.report


def makers_of(script: Script, name: str) -> list[cst.BaseExpression]:
    """What a network is assigned, but for its dendrites."""
    found = [value for names, value in script.assignments() if names == [name]]
    return [v for v in found if not (isinstance(v, cst.Call) and last(script.name(v.func)) in LIBRARY_MAKERS)]


def set_keywords(call: cst.Call, values: dict[str, str]) -> cst.Call:
    """A call with some keyword arguments replaced, and the missing ones behind the others."""
    from frustration.integration.draft import with_arguments

    rest = dict(values)
    kept = []
    for argument in call.args:
        name = argument.keyword.value if argument.keyword else ""
        if name in rest:
            argument = argument.with_changes(value=cst.parse_expression(rest.pop(name)))
        kept.append(argument)
    added = []
    for name, value in rest.items():
        parsed = cst.parse_expression(f"f({name}={value})")
        assert isinstance(parsed, cst.Call)
        added.append(parsed.args[0])
    return call.with_changes(args=with_arguments(kept, added) if added else kept)
