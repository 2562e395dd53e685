"""The end of a session of `train`: results, warnings, and where the networks are saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from frustration.errors import last_line
from frustration.metric import ACCURACY, Metric
from frustration.report.formatting import DASH, many, score, with_unit
from frustration.terminal.comparison import by_mode, comparison_table, controls_of, inert_in, same_as_control
from frustration.terminal.table import plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from frustration.checkpoint import CheckpointFiles
    from frustration.record import TrialRecord
    from frustration.session import FailedTrial, Outcome


def summary(outcome: Outcome, fresh: bool) -> Iterator[RenderableType]:
    """What to print, from top to bottom; `fresh` is whether the command line said --fresh."""
    if any(record.loop for record in outcome.records):
        if len(outcome.records) == 1:
            yield _single(outcome.records[0])
        else:
            yield from _answer(outcome)
            yield comparison_table(outcome.records)
            yield (
                f"{_what_is_scored(outcome.records[0])}std: over trials, divided by n (ddof 0). Paired: by "
                "trial number, 95 % interval (exact sign flips)."
            )
        for caution in cautions(outcome):
            yield Text(caution, style="yellow")
    if outcome.failed:
        yield Text(failures(outcome.failed), style="red")
    if outcome.interrupted:
        yield from what_is_safe(outcome, fresh)
    else:
        yield where(outcome.files, outcome.records)


def failures(failed: Sequence[FailedTrial]) -> str:
    """How many trials failed, why, and where the tracebacks are."""
    causes = "; ".join(dict.fromkeys(last_line(one.traceback) for one in failed))
    return (
        f"{many(len(failed), 'trial')} failed ({causes}; traceback in {failed[0].files.failure}); "
        f"the same command trains {'it' if len(failed) == 1 else 'them'} again"
    )


def _answer(outcome: Outcome) -> Iterator[str]:
    """The sentences that the report of this comparison begins with; none before it is finished."""
    if outcome.interrupted or len(by_mode(outcome.records)) < 2:
        return
    from frustration.report.report import Report
    from frustration.report.sessions import results_of_records

    name = str(outcome.records[0].spec.problem or outcome.records[0].spec.architecture)
    results = results_of_records(outcome.records, name, outcome.files[0].stem.parent)
    sentences = [one.replace("`", "") for one in Report.of(results).plain.answer] if results.trials else []
    yield from (*sentences, *([""] if sentences else []))


def _single(record: TrialRecord) -> RenderableType:
    metric = record.spec.metric
    bounty = DASH if record.bounty is None else f"{scored(record.bounty, metric)} @ loop {record.bounty_loop}"
    table = plain_table("", "", left=(0, 1))
    table.show_header = False
    table.add_row("bounty (validation)", bounty)
    table.add_row(f"LKG test {metric.name}", scored(record.test_accuracy, metric))
    if record.mixed:
        table.add_row("mixed", _told(record))
    return table


def scored(value: float | None, metric: Metric) -> str:
    """`98.22 %`."""
    return with_unit(score(value, metric), metric)


def _what_is_scored(record: TrialRecord) -> str:
    """A sentence, where that is not accuracy."""
    metric = record.spec.metric
    return "" if metric == ACCURACY else f"Score: {metric.name}, {metric.better} is better. "


def cautions(outcome: Outcome) -> Iterator[str]:
    """What would mislead if it went unsaid: mixed and inert treatments, and epochs that diverged."""
    modes, controls = by_mode(outcome.records), controls_of(outcome.records)
    for label, records in modes.items():
        mixed = [record for record in records if record.mixed]
        if mixed and len(outcome.records) > 1:
            yield (
                f'mode "{label}" is mixed{_share(mixed, records)}, so it is no clean arm of a comparison: '
                f"{_told(mixed[0])}"
            )
        control = controls[label]
        same = same_as_control(records, modes[control]) if control else []
        if any(not inert_in(record) for record in same):
            yield f'mode "{label}" is "{control}" to the bit{_share(same, records)}: it changed nothing'
        for name in dict.fromkeys(name for record in records for name in inert_in(record)):
            inert = [record for record in records if name in inert_in(record)]
            what = name if name == label else f'{name} in mode "{label}"'
            yield f"{what} is inert{_share(inert, records)}: {_why(name, inert[0])}"
        diverged = sum(entry.diverged for record in records for entry in record.curve)
        if diverged:
            ends = "loop; it was" if diverged == 1 else "loops; they were"
            yield f'mode "{label}": loss was not finite in {diverged} {ends} discarded'
        never = [record for record in records if record.curve and record.bounty is None]
        if never:
            yield f'mode "{label}": no loop gave a usable network{_share(never, records)}; try a lower --lr'


def _share(some: Sequence[TrialRecord], of: Sequence[TrialRecord]) -> str:
    return "" if len(some) == len(of) else f" in {len(some)} of {len(of)} trials"


def _told(record: TrialRecord) -> str:
    from frustration.treatment import told  # which needs NumPy, and a command begins without

    return told(record.phases)


def _why(name: str, record: TrialRecord) -> str:
    from frustration.inert import why_inert

    growth = None if record.growth is None else f"{record.growth['why']}{_too_few(record)}"
    seen = any(name in entry.evidence for entry in record.curve)
    return why_inert(
        name,
        knobs=record.spec.program.knobs if seen else (),
        learning_rate=record.spec.learning_rate,
        loops=record.loop,
        growth=growth,
    )


def _too_few(record: TrialRecord) -> str:
    """Where more loops would have made the difference."""
    from frustration.engine.growth.outlook import outlook

    said = outlook(record.spec)
    tried = record.ended_early or (record.growth and record.growth["attempts"])
    return f"; {said}" if said and not tried else ""


def where(files: Sequence[CheckpointFiles], records: Sequence[TrialRecord]) -> str:
    """Where the network is saved, or the pattern of many paths."""
    kept = [file for file, record in zip(files, records, strict=True) if record.bounty is not None]
    if len(files) == 1:
        return f"checkpoint: {kept[0].lkg}" if kept else "checkpoint: none, for there is no usable network"
    folders = {file.stem.parent for file in files}
    folder = files[0].stem.parent if len(folders) == 1 else files[0].stem.parent.parent / "MODE"
    return f"checkpoints: {folder / 'tNNN_lkg.safetensors'} ({len(kept)} networks)"


def what_is_safe(outcome: Outcome, fresh: bool) -> Iterator[str]:
    """After Ctrl-C: every loop that was finished is kept; the one that was under way is not."""
    records = outcome.records
    loops = sum(record.loop for record in records)
    done = sum(record.finished for record in records)
    begun = sum(record.loop > 0 for record in records) - done
    if not loops:
        yield "interrupted before the first loop was done"
    elif len(records) == 1:
        yield f"interrupted: {loops} of {records[0].spec.meta_loops} loops are done and kept"
    else:
        yield (
            f"interrupted: {done} of {len(records)} trials are finished, {begun} begun; "
            f"the {loops} loops that they have done are kept"
        )
    if any(record.curve or record.bounty is not None for record in records):
        yield where(outcome.files, records)
    again = "the same command without --fresh" if fresh else "the same command"
    yield f"to continue: {again}; it resumes from there and ends in the same bits as without the break"
