"""The steps of the library inside a plain training loop: the score, and the new optimizer after growth."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration import library
from frustration.integration.device import device_of
from frustration.integration.draft import Draft, indented
from frustration.integration.end import edit_end
from frustration.integration.half_done import complete
from frustration.integration.imports import add_imports
from frustration.integration.loop import Score, TrainingLoop, before_training, runs
from frustration.integration.rebuild import Rebuild, find_rebuild
from frustration.integration.source import Loop, Script, Statement, leaves_loop
from frustration.integration.steps import Step
from frustration.integration.wrapped import made_again, unwrapped, wrapped_again

if TYPE_CHECKING:
    from frustration.integration.plain import Plain


class LoopEdits:
    """The edits of one training loop."""

    def __init__(self, plain: Plain) -> None:
        self.plain = plain
        self.script: Script = plain.script
        self.draft: Draft = plain.draft

    def examine(self, loop: TrainingLoop) -> None:
        self.loop = loop
        score = self.plain.score
        rebuild = find_rebuild(self.script, self.plain.parts, loop, bool(self.plain.present.scores))
        if score is None:
            self._no_score(rebuild)
        elif self.plain.present.scores:
            self._complete(score, rebuild)
        else:
            self._report(score, rebuild)
        self._finish(loop)

    def _finish(self, loop: TrainingLoop) -> None:
        edit_end(self.plain, loop)

    def _complete(self, score: Score, rebuild: Rebuild | None) -> None:
        """What of the block is missing where the score is reported already."""
        complete(self, score, rebuild)

    def _no_score(self, rebuild: Rebuild | None) -> None:
        line = self.script.line(self.loop)
        reason = (
            "no validation score was found in this loop: evaluate after every epoch, and name the result "
            "with --metric"
        )
        self.plain.add(Step("score", "undecided", reason, line, "option", option="--metric NAME"))
        reason = "whether a higher score is better: there is no score yet"
        self.plain.add(Step("direction", "undecided", reason, line, "option", option="--better higher|lower"))
        if rebuild is not None:
            self.rebuilt(rebuild, self.script.last_line(self.loop))

    def _report(self, score: Score, rebuild: Rebuild | None) -> None:
        """Writes the whole block: score, end, new optimizer."""
        script, add = self.script, self.plain.add
        if (outer := runs(script, self.plain.parts, self.loop)) is not None:
            reason = (
                f"the loop of line {script.line(outer)} runs this one again and again with the same "
                "optimizer: its rounds are the epochs, so evaluate there"
            )
            line = script.line(score.at)
            add(Step("score", "undecided", reason, line, "option", option="evaluate in the outer loop"))
        if score.doubts:
            reason = f"{score.expression}: {score.doubts}"
            line = script.line(score.at)
            add(Step("score", "undecided", reason, line, "option", option="--metric NAME"))
        if rebuild is None or not self._follows(rebuild):
            names = [n for n in (self.plain.parts.model, self.plain.parts.optimizer_name) if n]
            called = " or ".join(names) or "the network"
            reason = f"{called} has no name in the function of this loop: pass what is missing to it"
            line = script.line(self.loop)
            add(Step("rebuild", "undecided", reason, line, "option", option="pass both to the loop"))
            return
        self._keep(score)
        block, anchor = self._block(score, rebuild)
        self.draft.after(anchor, block, self._copies(rebuild))
        line = script.last_line(anchor) + 1
        reason = (
            f"after all that this epoch still does with the network: {score.expression} decides about growth"
        )
        add(Step("score", "missing", reason, line, "edit", tuple(block.splitlines()[:1])))
        self._globals(rebuild)
        self.rebuilt(rebuild, line)

    def _follows(self, rebuild: Rebuild) -> bool:
        """Whether the optimizer can be followed through growth."""
        return True

    def _copies(self, rebuild: Rebuild) -> list[Statement]:
        """The script's own statements that the block repeats."""
        return rebuild.copies

    def _keep(self, score: Score) -> None:
        """Keeps the result of an evaluation that the script only prints."""
        if score.call is None:
            return
        script = self.script
        variable = re.split(r"[\[.]", score.expression)[0]
        statement = script.statement(score.call)
        text = f"{variable} = {script.exact(score.call)}"
        if isinstance(statement, cst.SimpleStatementLine) and script.code(statement.body[0]) == script.code(
            score.call
        ):
            self.draft.replace_statement(statement, text)
        else:
            self.draft.before(statement, text)
            self.draft.replace(score.call, variable)
        lines = [text]
        line = script.line(statement)
        if score.adds is not None:
            function, expression = score.adds
            last_one = list(script.siblings(next(iter(function.node.body.body))))[-1]  # type: ignore[arg-type]
            self.draft.after(last_one, f"return {expression}")
            lines.insert(0, f"return {expression}")
            reason = f"{function.name} only prints {expression}: now it returns it, and the loop keeps it"
        else:
            reason = "the result of the evaluation is kept"
        self.plain.add(Step("score", "missing", reason, line, "edit", tuple(lines)))

    def _block(self, score: Score, rebuild: Rebuild) -> tuple[str, Statement]:
        """The text behind the evaluation, and the statement that it follows."""
        lines = self._lines(score, rebuild)
        if before_training(self.script, self.loop, score.at):
            lines = ["if trained:  # a score that no training has earned would be a best", *indented(lines)]
            self.draft.before(self._outermost(), "trained = False")
            self.draft.after(list(self.script.siblings(self.loop.body.body[0]))[-1], "trained = True")  # type: ignore[arg-type]
        self._inner_loops(score)
        return "\n".join(lines), self._anchor(score)

    def _anchor(self, score: Score) -> Statement:
        """The last statement of the block with the score that every epoch reaches."""
        siblings = list(self.script.siblings(score.at))
        behind = siblings[siblings.index(score.at) :]
        for before, statement in pairwise(behind):
            if leaves_loop(self.script, statement, cst.Continue):
                return before
        return behind[-1]

    def _lines(self, score: Score, rebuild: Rebuild) -> list[str]:
        present = self.plain.present
        inner = unwrapped(self.script, self.plain.parts, rebuild.network)
        name = rebuild.inner
        lines = [
            library.report(present, name, score.expression, inner),
            "if training_complete:",
            "    break",
        ]
        if rebuild.every_time and name == rebuild.network:
            return lines
        lines.append("if restructured:  # it has grown: other parameters, so another optimizer")
        device = self._device(rebuild)
        body = [f"{name}.to({device})"] if device else []
        body += wrapped_again(self.script, self.plain.parts, rebuild)
        if not rebuild.every_time:
            body += made_again(self.script, self.plain.parts, rebuild)
            body.append(library.register(present, rebuild.optimizer))
        return [*lines, *indented(body)]

    def _device(self, rebuild: Rebuild) -> str:
        device = device_of(self.script, self.plain.parts)
        created = self.plain.parts.created or self.plain.parts.enters
        if device and created is not None:
            same = self.script.scope(created) in (self.script.scope(self.loop), None)
            return device if same else ""
        return ""

    def _inner_loops(self, score: Score) -> None:
        """`break` leaves one loop only: those between the evaluation and the training loop ask again."""
        between = []
        for outer in self.script.around(score.at)[1:]:
            if outer is self.loop:
                break
            if isinstance(outer, Loop):
                between.append(outer)
        for inner in between:
            self.draft.after(inner, "if training_complete:\n    break")
        if between:
            self.draft.before(self._outermost(), "training_complete = False")

    def _outermost(self) -> Statement:
        return self.loop

    def _globals(self, rebuild: Rebuild) -> None:
        function = self.script.scope(self.loop)
        if rebuild.shared and function is not None:
            body = list(self.script.siblings(next(iter(function.body.body))))  # type: ignore[arg-type]
            docstring = self.script.code(body[0]).startswith(('"', "'", 'r"')) and len(body) > 1
            self.draft.before(
                body[1] if docstring else body[0], f"{rebuild.outer} {', '.join(rebuild.shared)}"
            )

    def rebuilt(self, rebuild: Rebuild, line: int) -> None:
        add = self.plain.add
        if rebuild.every_time:
            reason = f"{rebuild.every_time} makes a new optimizer in every epoch"
            add(Step("rebuild", "done", reason, self.script.line(self.plain.parts.optimizer)))
            return
        if rebuild.generic:
            reason = (
                f"the same kind of optimizer with the same settings over the grown network: its own "
                f"statements use "
                f"{', '.join(rebuild.unseen)}, which the loop cannot see"
            )
            self._import_inspect()
        else:
            reason = "the same optimizer and schedulers as before, over the grown network"
        add(Step("rebuild", "missing", reason, line, "edit", tuple(rebuild.lines)))
        schedulers = self.plain.parts.schedulers
        for name in rebuild.lost:
            add(
                Step(
                    "scheduler",
                    "undecided",
                    f"{name} cannot be made anew in the loop, where its settings have no name: it continues "
                    f"with the "
                    "old optimizer",
                    self.script.line(schedulers[0]),
                    "hand",
                )
            )
        if schedulers and not rebuild.lost:
            add(
                Step(
                    "scheduler",
                    "missing",
                    "made anew together with the optimizer",
                    self.script.line(schedulers[0]),
                    "edit",
                    tuple(self.plain.parts.scheduler_names(self.script)),
                )
            )

    def _import_inspect(self) -> None:

        if "inspect" not in self.script.imports:
            add_imports(self.draft, ["import inspect"])
