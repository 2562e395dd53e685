"""How trials of a study are saved: a checkpoint while they run, a record and a network at the end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from frustration.engine.trial import Trial
from frustration.record import LoopEntry, TrialRecord
from frustration.runners.work import TrialStorage
from frustration.saved import pack_lkg, pack_resume


@dataclass(frozen=True)
class StudyKeeper:
    """Packs trials where they are trained and hands them to a storage, which may be far away."""

    storage: TrialStorage
    networks: bool
    keeps_failures = True

    def keep(self, trial: Trial, entry: LoopEntry) -> None:
        checkpoint = pack_resume(trial)
        self.storage.write_checkpoint(trial.spec.id, checkpoint)
        trial.kept = checkpoint.end

    def finish(self, trial: Trial) -> TrialRecord:
        trial_id, record = trial.spec.id, trial.record()
        if self.networks and trial.bounty is not None:
            self.storage.write_network(trial_id, pack_lkg(trial))
        self.storage.write_record(record)
        self.storage.remove_checkpoint(trial_id)
        return record

    def fail(self, trial: Trial, traceback: str) -> None:
        self.storage.write_failure(trial.spec.id, trial.spec.to_dict(), traceback)

    def on(self, storage: TrialStorage) -> StudyKeeper:
        """The same with another storage."""
        return replace(self, storage=storage)
