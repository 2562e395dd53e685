"""What `frustration.train` and `frustration.study` return: records, and what can be said of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration import session
from frustration.face import frames
from frustration.face.pages import html
from frustration.face.report import Report
from frustration.record import TrialRecord
from frustration.report.reading import read_study
from frustration.report.sessions import results_of_records
from frustration.study import definition
from frustration.study.store import Store

if TYPE_CHECKING:
    import pandas

    from frustration.face.plots import Plot


class _Shown:
    """Frames, plots and a place in a notebook, for whatever has records and a report."""

    def _records(self) -> Iterable[TrialRecord]:
        raise NotImplementedError

    def report(self, **settings: Any) -> Report:
        raise NotImplementedError

    def rows(self, *, loops: bool = False) -> Iterator[dict[str, Any]]:
        """One for each trial, or one for each loop of each trial."""
        return (frames.loop_rows if loops else frames.trial_rows)(self._records())

    def to_frame(self, *, loops: bool = False) -> pandas.DataFrame:
        """These rows as a pandas DataFrame."""
        return frames.frame(self.rows(loops=loops))

    def plot(self, kind: str = "effects") -> Plot:
        """`effects`, `curves` or `cost`."""
        return self.report().plot(kind)

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()


@dataclass(frozen=True, kw_only=True)
class Outcome(session.Outcome, _Shown):
    """What a session of `train` came to: one record for each trial."""

    def _records(self) -> Iterable[TrialRecord]:
        return self.records

    @property
    def folder(self) -> Path:
        """Where its checkpoints are kept."""
        folders = {file.stem.parent for file in self.files}
        return folders.pop() if len(folders) == 1 else self.files[0].stem.parent.parent

    def report(self, **settings: Any) -> Report:
        """The tests of this comparison; `settings` are alpha, margin and control."""
        name = str(self.records[0].spec.problem or self.records[0].spec.architecture)
        results = results_of_records(self.records, name, self.folder)
        return Report.noted(results, self.folder / "report", tuple(self._notes()), **settings)

    def _notes(self) -> Iterator[str]:
        if self.interrupted:
            loops = sum(record.loop for record in self.records)
            done = sum(record.finished for record in self.records)
            yield (
                f"Interrupted: {done} of {len(self.records)} trials are finished; all {loops} loops are "
                "kept, and the same call resumes them."
            )
        if len(self.records) == 1 and self.records[0].bounty is not None:
            record = self.records[0]
            tested = "" if record.test_accuracy is None else f", test {record.test_accuracy:.2f}"
            yield (
                f"`{record.spec.label}`: bounty {record.bounty:.2f} in loop {record.bounty_loop}{tested}, "
                f"{record.parameters:,} parameters."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Study(_Shown):
    """A study on disk, after a run: its definition, its records and how far it is."""

    definition: definition.Study
    root: Path
    """Its folder: `results/NAME`."""
    total: int
    done: int
    failed: int
    interrupted: bool

    @cached_property
    def records(self) -> tuple[TrialRecord, ...]:
        """Of all finished trials; a record that cannot be used is left out, and the report names it."""
        return tuple(self._records())

    def _records(self) -> Iterator[TrialRecord]:
        return Store(self.root).records(complain=lambda sentence: None)

    def report(self, **settings: Any) -> Report:
        """The tests of this comparison; `settings` are alpha, margin and control. It counts as a look."""
        Store(self.root).keep_look()
        return Report.noted(read_study(self.root), self.root / "report", tuple(self._notes()), **settings)

    def _repr_html_(self) -> str:
        return self.report()._repr_html_() if self.done else html(tuple(self._notes()), None)

    def _notes(self) -> Iterator[str]:
        failed = f", {self.failed:,} failed" if self.failed else ""
        yield f"`{self.definition.name}`: {self.done:,} of {self.total:,} trials are done{failed}."
        if self.interrupted:
            yield "Interrupted: trials under way are kept, and the same call resumes them."
