"""The steps of our own Growth or Ratchet in a plain loop: made before it, told after every evaluation."""

from __future__ import annotations

from frustration.integration import library
from frustration.integration.end import edit_end
from frustration.integration.loop import Score, TrainingLoop
from frustration.integration.loop_edits import LoopEdits
from frustration.integration.rebuild import Rebuild
from frustration.integration.source import Statement
from frustration.integration.steps import Step
from frustration.integration.targets import own
from frustration.integration.wrapped import unwrapped, wrapped_again


class OwnEdits(LoopEdits):
    """The optimizer follows the network by itself, so nothing is made anew."""

    def examine(self, loop: TrainingLoop) -> None:
        target = own(self.plain.wishes.intervention)
        if self.plain.present.perforated:
            line = self.script.line(self.plain.present.perforated[0])
            for name in ("model", "optimizer", "rebuild"):
                self.plain.add(
                    Step(name, "done", f"{target.calls[0]} has the network and its optimizer", line)
                )
            if self.plain.parts.schedulers:
                self.plain.add(Step("scheduler", "done", "it follows the optimizer", line))
        super().examine(loop)

    def _follows(self, rebuild: Rebuild) -> bool:
        return not rebuild.every_time

    def _finish(self, loop: TrainingLoop) -> None:
        if own(self.plain.wishes.intervention).complete:
            edit_end(self.plain, loop)

    def rebuilt(self, rebuild: Rebuild, line: int) -> None:
        """The lines before the loop, instead of an optimizer made anew."""
        if rebuild.every_time:
            return
        plain, target = self.plain, own(self.plain.wishes.intervention)
        network = unwrapped(self.script, plain.parts, rebuild.network)
        schedulers = [
            name
            for name in plain.parts.scheduler_names(self.script)
            if rebuild.names.get(name, name).partition(".")[0] in rebuild.known
        ]
        names = [rebuild.names.get(name, name) for name in schedulers[:1]]
        make = target.make.format(
            variable=target.variable,
            network=network,
            maximize=plain.better is not False,
            mode=plain.wishes.mode,
        )
        optimizer = rebuild.optimizer
        if plain.parts.prepared is not None:
            optimizer = f'getattr({optimizer}, "optimizer", {optimizer})'
        follow = target.follow.format(variable=target.variable, arguments=", ".join([optimizer, *names]))
        if plain.layers.fast_path and "set_fastpath_enabled(False)" not in self.script.text:
            make = f"{library.SLOW_PATH}\n{make}"
        self.draft.before(self.loop, f"{make}\n{follow}")
        if target.ends:
            self.draft.after(self.loop, target.ends.format(variable=target.variable))
        place = self.script.line(self.loop)
        plain.add(
            Step(
                "model",
                "missing",
                f"before the loop that trains {network}",
                place,
                "edit",
                tuple(make.splitlines()),
            )
        )
        reason = "from here on the optimizer follows the network: nothing has to be made anew"
        plain.add(Step("optimizer", "missing", reason, place, "edit", (follow,)))
        plain.add(Step("rebuild", "missing", reason, place, "edit", (follow,)))
        if names:
            plain.add(Step("scheduler", "missing", f"{names[0]} follows as well", place, "edit", (follow,)))
        for name in [s for s in plain.parts.scheduler_names(self.script) if s not in schedulers[:1]]:
            reason = (
                f"{name} does not follow the network: hand the one scheduler that matters to set_optimizer"
            )
            plain.add(
                Step("scheduler", "undecided", reason, self.script.line(plain.parts.schedulers[0]), "hand")
            )

    def _lines(self, score: Score, rebuild: Rebuild) -> list[str]:
        target = own(self.plain.wishes.intervention)
        told = target.score.format(variable=target.variable, score=score.expression)
        wrapped = wrapped_again(self.script, self.plain.parts, rebuild) if target.grown else []
        if not wrapped:
            return [f"if {told}.{target.complete}:", "    break"] if target.complete else [told]
        inner = f"{rebuild.inner} = {unwrapped(self.script, self.plain.parts, rebuild.network)}"
        return [
            f"outcome = {told}",
            f"if outcome.{target.complete}:",
            "    break",
            f"if outcome.{target.grown}:  # DDP has to learn of the new parameters",
            *(f"    {line}" for line in [inner, *wrapped]),
        ]

    def _complete(self, score: Score, rebuild: Rebuild | None) -> None:
        line = self.script.line(self.plain.present.scores[0])
        self.plain.add(Step("score", "done", f"{score.expression} is reported", line))

    def _copies(self, rebuild: Rebuild) -> list[Statement]:
        return []

    def _globals(self, rebuild: Rebuild) -> None:
        """Nothing is bound anew but a wrapper."""
        function = self.script.scope(self.loop)
        if rebuild.shared and function is not None and self.plain.parts.wrappings:
            rebuild.shared = [name for name in rebuild.shared if name == rebuild.network]
            super()._globals(rebuild)
