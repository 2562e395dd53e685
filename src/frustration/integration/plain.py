"""The steps of a plain training loop: what is done, what is missing, and the edit for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import libcst as cst

from frustration.errors import InputError
from frustration.integration import library
from frustration.integration.account import account
from frustration.integration.device import device_of, moves
from frustration.integration.draft import Draft
from frustration.integration.imports import add_imports, import_place, line_of_import
from frustration.integration.layers import Layers, find_layers
from frustration.integration.loop import Score, TrainingLoop, find_loop, known_better
from frustration.integration.loop_edits import LoopEdits
from frustration.integration.own_edits import OwnEdits
from frustration.integration.parts import DISTRIBUTED, WRAPPERS, Parts, find_parts
from frustration.integration.present import Present, find_present
from frustration.integration.processes import accelerate, accelerated, ddp, ranks_taken_too_early, several
from frustration.integration.refusals import adversarial, crowded, engine, without_optimizer
from frustration.integration.remarks import remarks
from frustration.integration.score import find_score
from frustration.integration.source import Script, Statement, last
from frustration.integration.steps import Report, Step, hand
from frustration.integration.targets import Wishes, own


def plain(script: Script, wishes: Wishes) -> Report:
    """The steps of a script that has a training loop of its own."""
    report = Report(str(script.path or ""), "plain loop", wishes.described, script.text, script.text)
    parts = find_parts(script, wishes.model, wishes.optimizer)
    if parts is not None and (loop := find_loop(script, parts)) is not None:
        parts = find_parts(script, wishes.model, wishes.optimizer, loop)
    if wishes.model and parts is not None and wishes.model not in parts.models:
        raise InputError(
            f"--model-variable {wishes.model}: no optimizer here takes its parameters; "
            f"{parts.optimizer_name} "
            f"(line {script.line(parts.optimizer)}) takes those of "
            f"{', '.join(parts.models) or 'nothing known'}"
        )
    if parts is None:
        report.kind = "no training loop"
        report.refused = without_optimizer(script)
        return report
    if not wishes.model and (refusal := adversarial(script, parts)):
        report.kind = "adversarial networks"
        report.refused = refusal
        return report
    examination = Plain(script, wishes, parts, report)
    if examination.loop is None and (refusal := engine(script)):
        report.kind, report.refused = "somebody else's loop", refusal
        return report
    asks = examination.score.at if examination.score is not None else None
    lines = (parts.made, parts.created, parts.prepared, parts.optimizer, *parts.schedulers)
    blocks = (examination.loop, asks if isinstance(asks, cst.If) else None)
    if refusal := crowded(script, lines, *blocks):
        report.refused = refusal
        return report
    return examination.examine()


@dataclass
class Plain:
    """One examination: the steps are appended in the order in which they are found."""

    script: Script
    wishes: Wishes
    parts: Parts
    report: Report
    draft: Draft = field(init=False)
    present: Present = field(init=False)
    loop: TrainingLoop | None = field(init=False)
    score: Score | None = None
    layers: Layers = field(init=False)

    def __post_init__(self) -> None:
        self.draft = Draft(self.script)
        self.present = find_present(self.script, self.wishes)
        self.loop = find_loop(self.script, self.parts)
        self.layers = find_layers(self.script, self.parts)
        if self.loop is not None:
            self.score = self._reported() or find_score(self.script, self.loop, self.wishes.metric)

    def examine(self) -> Report:
        self._imports()
        if self.wishes.target == "perforatedai":
            self._configuration()
        self._model()
        self._direction()
        self._parallel()
        if self.wishes.target == "perforatedai":
            self._optimizer()
        if self.loop is None:
            self._no_loop()
        else:
            edits = LoopEdits if self.wishes.target == "perforatedai" else OwnEdits
            edits(self).examine(self.loop)
            theirs = self.wishes.target == "perforatedai"
            self.report.steps += remarks(self.script, self.parts, self.loop, self.score, theirs)
        self.report.steps += account(self)
        line = self.script.line(self.loop or self.parts.optimizer)
        more = ("scheduler",) if self.parts.schedulers else ()
        if not self.parts.model and self.script.called(*WRAPPERS):
            more = (*more, "parallel")
        self.report.left_out(line, more)
        self.report.sorted()
        if not self.report.undecided:
            self.report.after = self.draft.write()
        return self.report

    def add(self, step: Step) -> None:
        self.report.steps.append(step)

    def edit(
        self, name: str, line: int, reason: str, lines: Sequence[str], write: Callable[[], None]
    ) -> None:
        """A missing step, with the edit that does it."""
        write()
        self.add(Step(name, "missing", reason, line, "edit", tuple(lines)))

    def _reported(self) -> Score | None:
        """The score that the script reports already."""
        if not self.present.scores or self.loop is None:
            return None
        call = self.present.scores[0]
        if not call.args:
            return None
        text = self.script.code(call.args[0].value)
        better, why = known_better(self.script, self.loop, text, None)
        return Score(text, self.script.statement(call), better, why)

    @property
    def better(self) -> bool | None:
        if self.wishes.better is not None:
            return self.wishes.better
        return self.score.better if self.score is not None else None

    def _imports(self) -> None:
        present, wanted = self.present, []
        if self.wishes.target == "frustration":
            if not present.gpa:
                wanted = [own(self.wishes.intervention).imports]
        else:
            wanted = [library.IMPORTS[k] for k in ("gpa", "upa") if not getattr(present, k)]
            if self._processes:
                known = self.script.imports
                wanted += [
                    f"import {name}"
                    for name in ("os", "torch.distributed")
                    if name.partition(".")[0] not in known
                ]
        if not wanted:
            self.add(
                Step(
                    "imports", "done", f"imported as {present.gpa}", line_of_import(self.script, present.gpa)
                )
            )
            return
        place = import_place(self.script)
        self.edit(
            "imports",
            self.script.line(place) + 1,
            "the settings and the tracker (GPA) and the library's functions (UPA)"
            if self.wishes.target == "perforatedai"
            else "the intervention",
            wanted,
            lambda: add_imports(self.draft, wanted),
        )

    @property
    def _processes(self) -> bool:
        """Whether several processes are going to have these dendrites, each in a folder of its own."""
        return several(self.script, self.parts) and not self.present.perforated

    @property
    def _place(self) -> Statement | None:
        """The statement that the configuration belongs to."""
        if self.present.perforated:
            return self.script.statement(self.present.perforated[0])
        return self.parts.created or self.parts.enters

    def _configuration(self) -> None:
        place = self._place
        if place is None:
            line = self.script.line(self.parts.optimizer)
            self.add(hand("configuration", "where the network is made is not known, nor its layers", line))
            return
        if "set_fastpath_enabled(False)" in self.script.text.replace(" ", ""):
            self.layers.fast_path = False
        lines = library.configuration(
            self.layers, self.present, self.wishes, device_of(self.script, self.parts)
        )
        if not self.present.perforated:
            self._doubts(self.script.line(place))
        if not lines:
            first = min(map(self.script.line, self.present.settings.values()))
            self.add(Step("configuration", "done", "every question is answered", first))
            return
        reason = (
            self.layers.reason
            if not self.present.settings
            else "settings without which the library asks or stops"
        )
        before = bool(self.present.perforated) or self.parts.created is None or self.parts.inline is not None
        self.config_lines = lines

        def write() -> None:
            heading = "" if self.present.perforated else library.HEADING
            text = "\n".join(lines)
            if before:
                self.draft.before(place, text, comment=heading)
            else:
                self.draft.after(place, text, comment=heading)

        self.edit("configuration", self.script.line(place), reason, lines, write)

    def _doubts(self, line: int) -> None:
        for doubt in self.layers.doubts:
            if "--layers" in doubt and self.wishes.layers:
                continue
            if "--output-dimensions" in doubt:
                if not self.wishes.dimensions:
                    self.add(
                        Step(
                            "configuration", "undecided", doubt, line, "option", option="--output-dimensions"
                        )
                    )
                continue
            self.add(hand("configuration", doubt, line))

    def _model(self) -> None:
        parts, script = self.parts, self.script
        if self.present.perforated and self.wishes.target == "frustration":
            return
        if self.present.perforated:
            call = self.present.perforated[0]
            line = script.line(call)
            same = script.scope(call) is script.scope(parts.optimizer)
            if same and script.before(parts.optimizer, call):
                reason = (
                    f"this is after {parts.optimizer_name} was made, which does not know the new parameters"
                )
                self.add(Step("model", "wrong", reason, line, "hand"))
            else:
                self.add(Step("model", "done", f"{parts.model} is given its dendrites here", line))
            return
        if len(parts.models) > 1 and not self.wishes.model:
            names = ", ".join(parts.models)
            reason = f"{parts.optimizer_name} trains several networks ({names}): which of them is to grow?"
            line = script.line(parts.optimizer)
            self.add(Step("model", "undecided", reason, line, "option", option="--model-variable"))
            return
        if not parts.model or (parts.created is None and parts.enters is None):
            reason = f"where the network ({parts.model or 'unknown'}) is made was not found"
            line = script.line(parts.optimizer)
            self.add(Step("model", "undecided", reason, line, "option", option="--model-variable"))
            return
        if self.wishes.target == "perforatedai":
            self._perforate()

    def _perforate(self) -> None:
        parts, script = self.parts, self.script
        network = parts.model
        lines = library.perforation(
            network, script, self.present, self.wishes, self.better, self.layers, self._processes
        )
        ranks = library.ranks() if self._processes else []
        device = device_of(script, parts)
        place = parts.created or parts.enters
        assert place is not None
        moved = device and parts.created is not None and moves(script, parts.created)
        if moved:
            lines.append(f"{parts.model} = {parts.model}.to({device})")
        reason = f"{parts.model} is complete here, and neither wrapped nor given to an optimizer yet"

        def write() -> None:
            if parts.inline is not None:
                inner = script.exact(parts.inline)
                text = lines[0].partition(" = ")[2].replace(f"({parts.model},", f"({inner},", 1)
                self.draft.replace(parts.inline, text)
                if ranks:
                    self.draft.before(place, "\n".join(ranks))
                    reason = f"make the network in a line of its own: {lines[1].partition('  #')[0]}"
                    self.add(hand("parallel", reason, script.line(place)))
            elif parts.created is not None:
                self.draft.after(place, "\n".join([*ranks, *lines]))
            else:
                self.draft.before(place, "\n".join([*ranks, *lines]))

        self.edit("model", script.line(place), reason, [*ranks, *lines], write)
        if ranks:
            self.report.steps += ranks_taken_too_early(script, place)

    def _direction(self) -> None:
        if self.score is None:
            return
        line = self.script.line(self.score.at)
        name = self.score.expression
        if self.score.doubts:
            reason = f"it depends on the score, and {name} is not certain: {self.score.doubts}"
            self.add(Step("direction", "undecided", reason, line, "option", option="--metric NAME"))
            return
        call = self.present.perforated[0] if self.present.perforated else None
        word = "maximizing_score" if self.wishes.target == "perforatedai" else "maximize"
        given = self.script.argument(call, word) if call is not None else None
        written = {"True": True, "False": False}.get(self.script.code(given)) if given is not None else None
        if self.better is None and given is not None and written is not None:
            reason = f"the script says {word}={written}"
            self.add(Step("direction", "done", reason, self.script.line(given)))
            return
        if self.better is None:
            reason = f"whether a higher {name} is better: {self.score.why}"
            self.add(Step("direction", "undecided", reason, line, "option", option="--better higher|lower"))
            return
        why = "by --better" if self.wishes.better is not None else self.score.why
        reason = f"a {'higher' if self.better else 'lower'} {name} is better: {why}"
        if call is None:
            self.add(Step("direction", "missing", reason, line, "edit", (f"maximizing_score={self.better}",)))
            return
        said = True if given is None else written
        if said is None or said == self.better:
            self.add(Step("direction", "done", reason, self.script.line(call)))
            return
        if given is None:
            self.draft.append_argument(call, f"{word}={self.better}")
        else:
            self.draft.replace(given, str(self.better))
        self.add(
            Step("direction", "wrong", reason, self.script.line(call), "edit", (f"{word}={self.better}",))
        )

    def _parallel(self) -> None:
        script, parts = self.script, self.parts
        if self.wishes.target == "perforatedai" and accelerated(script, parts):
            self.report.steps += accelerate(script, self.draft)
        for call in parts.wrappings:
            name = last(script.name(call.func))
            line = script.line(call)
            if name in DISTRIBUTED and self.wishes.target == "perforatedai":
                self.add(ddp(script, self.draft, call))
            elif name in ("DataParallel", "compile") or name in DISTRIBUTED:
                place = self._place
                early = place is not None and script.before(call, place) and not script.holds(place, call)
                if place is not None and early and script.scope(call) is script.scope(place):
                    self.add(Step("parallel", "wrong", "wrapped before it gets its dendrites", line, "hand"))
                else:
                    self.add(
                        Step("parallel", "done", f"{name} wraps the network after it has its dendrites", line)
                    )

    def _optimizer(self) -> None:
        script, parts = self.script, self.parts
        if self.present.registered:
            line = script.line(self.present.registered[0])
            self.add(Step("optimizer", "done", "the tracker knows the optimizer", line))
            return
        place = parts.prepared or parts.optimizer
        text = library.register(self.present, parts.optimizer_name)
        self.edit(
            "optimizer",
            script.line(place) + 1,
            "the tracker must know the optimizer; schedulers stay the script's own",
            [text],
            lambda: self.draft.after(place, text),
        )

    def _no_loop(self) -> None:
        reason = "no loop was found here that trains with this optimizer: is it in another file?"
        line = self.script.line(self.parts.optimizer)
        if re.search(r"load_state_dict|load_checkpoint|load_model|resume|torch\.load\(", self.script.text):
            self.add(hand("saving", "what is loaded here fits only a network that has grown as often", line))
        planned = self.parts.schedulers or re.search(r"param_groups|sched|learning_rate\(", self.script.text)
        schedulers = ("scheduler",) if planned else ()
        for name in ("score", "direction", "rebuild", "end", *schedulers):
            self.add(
                Step(name, "undecided", reason, line, "option", option="give the file that has the loop")
            )
