"""How trials of a study are kept: a checkpoint while they run, a record and a network at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from frustration.engine.trial import Trial
from frustration.record import LoopEntry
from frustration.runners.work import Shelf
from frustration.saved import pack_lkg, pack_resume


@dataclass(frozen=True)
class StudyKeeper:
    """Packs trials where they are trained and hands them to a shelf, which may be far away."""

    shelf: Shelf
    networks: bool
    keeps_failures = True

    def keep(self, trial: Trial, entry: LoopEntry) -> None:
        self.shelf.write_checkpoint(trial.spec.id, pack_resume(trial, []))

    def finish(self, trial: Trial) -> None:
        trial_id = trial.spec.id
        if self.networks and trial.bounty is not None:
            self.shelf.write_network(trial_id, pack_lkg(trial, []))
        self.shelf.write_record(trial.record())
        self.shelf.remove_checkpoint(trial_id)

    def fail(self, trial: Trial, traceback: str) -> None:
        self.shelf.write_failure(trial.spec.id, trial.spec.to_dict(), traceback)

    def on(self, shelf: Shelf) -> StudyKeeper:
        """The same with another shelf."""
        return replace(self, shelf=shelf)
