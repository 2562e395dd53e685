"""The steps of the library inside a plain training loop: the score, and the new optimizer after growth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration import library
from frustration.integration.device import device_of
from frustration.integration.draft import REBUILD, Draft
from frustration.integration.end import edit_end
from frustration.integration.imports import add_imports
from frustration.integration.loop import Score, TrainingLoop, before_training
from frustration.integration.parts import DISTRIBUTED
from frustration.integration.present import score_statement
from frustration.integration.rebuild import Rebuild, find_rebuild
from frustration.integration.source import Loop, Script, Statement, last
from frustration.integration.steps import Step

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
        if score is None:
            self._no_score()
            return
        rebuild = find_rebuild(self.script, self.plain.parts, loop)
        if self.plain.present.scores:
            self._complete(score, rebuild)
        else:
            self._report(score, rebuild)
        self._finish(loop)

    def _finish(self, loop: TrainingLoop) -> None:
        edit_end(self.plain, loop)

    def _no_score(self) -> None:
        line = self.script.line(self.loop)
        reason = (
            "no validation score was found in this loop: evaluate after every epoch, and name the result "
            "with "
            "--metric"
        )
        self.plain.add(Step("score", "undecided", reason, line, "option", option="--metric NAME"))

    def _report(self, score: Score, rebuild: Rebuild | None) -> None:
        """Writes the whole block: score, end, new optimizer."""
        script, add = self.script, self.plain.add
        line = script.line(score.at)
        if score.doubts:
            reason = f"{score.expression}: {score.doubts}"
            add(Step("score", "undecided", reason, line, "option", option="--metric NAME"))
            return
        if rebuild is None:
            reason = (
                f"{self.plain.parts.model} or {self.plain.parts.optimizer_name} has no name in the function "
                f"of this "
                "loop: pass them to it"
            )
            add(
                Step(
                    "rebuild",
                    "undecided",
                    reason,
                    script.line(self.loop),
                    "option",
                    option="pass both to the loop",
                )
            )
            return
        self._keep(score)
        block, anchor = self._block(score, rebuild)
        self.draft.after(anchor, block, self._copies(rebuild))
        reason = (
            f"after all that this epoch still does with the network: {score.expression} decides about growth"
        )
        add(
            Step(
                "score",
                "missing",
                reason,
                script.last_line(anchor) + 1,
                "edit",
                tuple(block.splitlines()[:1]),
            )
        )
        self._globals(rebuild)
        self._rebuilt(rebuild, script.last_line(anchor) + 1)

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
            lines = ["if trained:  # a score that no training has earned would be a best", *_indented(lines)]
            self.draft.before(self._outermost(), "trained = False")
            self.draft.after(list(self.script.siblings(self.loop.body.body[0]))[-1], "trained = True")  # type: ignore[arg-type]
        anchor = self.script.siblings(score.at)[-1]
        self._inner_loops(score)
        return "\n".join(lines), anchor

    def _lines(self, score: Score, rebuild: Rebuild) -> list[str]:
        present = self.plain.present
        inner = self._unwrapped(rebuild.network)
        name = rebuild.inner
        lines = [
            library.report(present, name, score.expression, inner),
            "if training_complete:",
            "    break",
            "if restructured:  # it has grown: other parameters, so another optimizer",
        ]
        device = self._device(rebuild)
        body = [f"{name}.to({device})"] if device else []
        body += self._wrapped_again(rebuild) + self._rebuild_lines(rebuild)
        body.append(library.register(present, rebuild.optimizer))
        return [*lines, *_indented(body)]

    def _rebuild_lines(self, rebuild: Rebuild) -> list[str]:
        lines = rebuild.generic.splitlines() if rebuild.generic else [REBUILD]
        prepared = self.plain.parts.prepared
        if prepared is None:
            return lines
        call = self.script.all(cst.Call, prepared)[0]
        func = self.script.code(call.func)
        again = f"{func}_optimizers" if func.endswith(".setup") else func
        owner, _, method = func.rpartition(".")
        if owner and method == "prepare":  # it would go on with the optimizers that it knows
            lines += [f"{owner}._optimizers.clear()", f"{owner}._schedulers.clear()"]
        lines.append(f"{rebuild.optimizer} = {again}({rebuild.optimizer})")
        for statement in self.plain.parts.schedulers:
            for name in self.script.targets(statement):
                if name in self.script.targets(prepared) and name not in rebuild.lost:
                    lines.append(f"{name} = {func}({name})")
        return lines

    def _unwrapped(self, network: str) -> str:
        """The network that the library knows, inside of what wraps it."""
        parts, script = self.plain.parts, self.script
        if parts.prepared is not None:
            call = script.all(cst.Call, parts.prepared)[0]
            owner, _, method = script.code(call.func).rpartition(".")
            if owner and method == "prepare":
                return f"{owner}.unwrap_model({network})"
            return f'getattr({network}, "module", {network})'
        kinds = {last(script.name(c.func)) for c in parts.wrappings}
        inner = network
        if kinds & (DISTRIBUTED | {"DataParallel"}):
            inner = f'getattr({inner}, "module", {inner})'
        if "compile" in kinds:
            inner = f'getattr({inner}, "_orig_mod", {inner})'
        return inner

    def _wrapped_again(self, rebuild: Rebuild) -> list[str]:
        """The wrapper of a grown network: DDP has to learn of the new parameters."""
        network, name = rebuild.network, rebuild.inner
        if name == network or self.plain.parts.prepared is not None:
            return []
        kinds = {last(self.script.name(c.func)): c for c in self.plain.parts.wrappings}
        lines: list[str] = []
        for kind, call in kinds.items():
            func = self.script.code(call.func)
            word = "elif" if lines else "if"
            if kind in DISTRIBUTED:
                lines += [
                    f"{word} isinstance({network}, {func}):",
                    f"    {network} = {func}({name}, device_ids={network}.device_ids, "
                    f"find_unused_parameters=True)",
                ]
            elif kind == "DataParallel":
                lines += [
                    f"{word} isinstance({network}, {func}):",
                    f"    {network} = {func}({name}, device_ids={network}.device_ids)",
                ]
        return lines

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
            self.draft.before(body[1] if docstring else body[0], f"global {', '.join(rebuild.shared)}")

    def _rebuilt(self, rebuild: Rebuild, line: int) -> None:
        add = self.plain.add
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
                    f"{name} cannot be made anew in the loop, where its settings have no name: it goes on "
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
                    tuple(n for s in schedulers for n in self.script.targets(s)),
                )
            )

    def _import_inspect(self) -> None:

        if "inspect" not in self.script.imports:
            add_imports(self.draft, ["import inspect"])

    def _complete(self, score: Score, rebuild: Rebuild | None) -> None:
        """What of the block is missing where the score is reported already."""
        script, present = self.script, self.plain.present
        call = present.scores[0]
        statement, targets = score_statement(script, call)
        line = script.line(call)
        if not targets:
            self._unused_result(statement, call, rebuild)
            return
        if len(targets) != 3:
            reason = f"three values come back, not {len(targets)}: network, restructured, training_complete"
            self.plain.add(Step("score", "wrong", reason, line, "hand"))
        elif _swapped(script, call, self.plain.parts.model):
            reason = "the score comes first, then the network"
            first, second = (script.code(a.value) for a in call.args[:2])
            self.draft.replace(call.args[0].value, second)
            self.draft.replace(call.args[1].value, first)
            self.plain.add(
                Step("score", "wrong", reason, line, "edit", (f"add_validation_score({second}, {first})",))
            )
        else:
            self.plain.add(Step("score", "done", f"{score.expression} is reported", line))
        grown = targets[1] if len(targets) == 3 else "restructured"
        if present.rebuilds:
            self._check_rebuild(present.rebuilds[0])
        elif rebuild is not None:
            body = [*self._rebuild_lines(rebuild), library.register(present, rebuild.optimizer)]
            text = "\n".join([f"if {grown}:  # it has grown: another optimizer", *_indented(body)])
            self.draft.after(statement, text, rebuild.copies)
            self._rebuilt(rebuild, line + 1)

    def _check_rebuild(self, node: cst.If) -> None:
        script = self.script
        line = script.line(node)
        calls = [last(name) for _, name in script.calls(node)]
        if {"set_optimizer_instance", "setup_optimizer"} & set(calls):
            self.plain.add(Step("rebuild", "done", "a new optimizer after growth", line))
            if self.plain.parts.schedulers:
                self.plain.add(
                    Step("scheduler", "done", "made with the optimizer, or the library's own", line)
                )
            return
        name = self.plain.parts.optimizer_name
        makes = name in script.targets(node)
        if makes:
            text = library.register(self.plain.present, name)
            self.draft.after(list(node.body.body)[-1], text)  # type: ignore[arg-type]
            reason = "the new optimizer is not registered: the next score ends in an AttributeError"
            self.plain.add(Step("rebuild", "wrong", reason, line, "edit", (text,)))
        else:
            self.plain.add(Step("rebuild", "wrong", "no new optimizer is made after growth", line, "hand"))

    def _unused_result(self, statement: Statement, call: cst.Call, rebuild: Rebuild | None) -> None:
        script = self.script
        reason = "what comes back is thrown away: neither growth nor the end is noticed"
        line = script.line(call)
        if rebuild is None or not isinstance(statement, cst.SimpleStatementLine):
            self.plain.add(Step("score", "wrong", reason, line, "hand"))
            return
        first = f"{rebuild.network}, restructured, training_complete = {script.exact(call)}"
        self.draft.replace_statement(statement, first)
        body = [*self._rebuild_lines(rebuild), library.register(self.plain.present, rebuild.optimizer)]
        lines = ["if training_complete:", "    break", "if restructured:  # it has grown", *_indented(body)]
        self.draft.after(statement, "\n".join(lines), rebuild.copies)
        self.plain.present.ends = self.plain.present.ends or [cst.If(cst.Name("x"), cst.IndentedBlock([]))]
        self.plain.add(Step("score", "wrong", reason, line, "edit", (first,)))
        self._rebuilt(rebuild, line + 1)


def _swapped(script: Script, call: cst.Call, model: str) -> bool:
    if len(call.args) < 2:
        return False
    first, second = (script.code(a.value) for a in call.args[:2])
    named = re.compile(r"\b(model|net|network)\b")
    return (first == model or bool(named.search(first))) and not (
        second == model or bool(named.search(second))
    )


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
