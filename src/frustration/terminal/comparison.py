"""The table at the end of a comparison, one row per mode, and which records are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from frustration.controls import Contender, baseline_of, control_of
from frustration.report.formatting import DASH, mean, spread, with_interval
from frustration.terminal.table import SIZES, plain_table, sizes

if TYPE_CHECKING:
    from rich.table import Table

    from frustration.metric import Metric
    from frustration.record import TrialRecord


def comparison_table(records: Sequence[TrialRecord]) -> Table:
    """One row per mode, in the order asked for."""
    modes = by_mode(records)
    controls = controls_of(records)
    compared = list(dict.fromkeys(control for control in controls.values() if control))
    several = len(compared) > 1
    notes = {
        label: _note(of_mode, modes[control] if (control := controls[label]) else [])
        for label, of_mode in modes.items()
    }
    metric = records[0].spec.metric
    headers = ["mode", "n", f"{metric.column('bounty')}\nmean ± std", "at\nloop"]
    headers += [f"{metric.column('LKG test')}\nmean ± std"]
    sized = len({record.parameters for record in records}) > 1 or any(record.growth for record in records)
    headers += SIZES if sized else []
    if compared:
        headers.append(
            f"{metric.column('paired test')}\nvs {'its control' if several else _named(compared[0], modes)}"
        )
    headers += ["control"] if several else []
    headers += ["accepted\n% of loops"]
    headers += ["note"] if any(notes.values()) else []
    table = plain_table(*headers, left=(0, len(headers) - 1) if any(notes.values()) else (0,))
    for label, of_mode in modes.items():
        row = [
            label,
            _count(of_mode),
            spread([record.bounty for record in of_mode], metric),
            mean([record.bounty_loop for record in of_mode]),
            spread([record.test_accuracy for record in of_mode], metric),
        ]
        if sized:
            row += sizes(
                [growth["added"] for record in of_mode if (growth := record.growth)],
                [record.parameters for record in of_mode],
                [record.flops for record in of_mode],
            )
        if compared:
            control = controls[label]
            pairs = paired_differences(of_mode, modes[control]) if control else []
            row.append(_with_interval(pairs, metric) if control else "" if several else "control")
            row += [_named(control, modes)] if several else []
        entries = [entry for record in of_mode for entry in record.curve]
        row.append(mean([100.0 * entry.accepted for entry in entries], 0))
        table.add_row(*row, *([notes[label]] if any(notes.values()) else []))
    return table


def _named(control: str | None, modes: Mapping[str, Sequence[TrialRecord]]) -> str:
    """A control by its label, and whether it is a mixed one."""
    if control is None:
        return ""
    return f"{control}, mixed" if any(record.mixed for record in modes[control]) else control


def by_mode(records: Sequence[TrialRecord]) -> dict[str, list[TrialRecord]]:
    modes: dict[str, list[TrialRecord]] = {}
    for record in records:
        modes.setdefault(record.spec.label, []).append(record)
    return modes


def controls_of(records: Sequence[TrialRecord]) -> dict[str, str | None]:
    """The mode that each is compared with; None for what others come down to."""
    arms = [Contender.of(of_mode[0].spec) for of_mode in by_mode(records).values()]
    baseline = baseline_of(arms)
    controls = {arm.label: control_of(arm, arms, baseline) for arm in arms}
    return {label: control.label if control else None for label, control in controls.items()}


def paired_differences(mode: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> list[float]:
    """Test score of a mode minus that of the control, by trial number, where both are known."""
    of_control = {record.spec.trial: record.test_accuracy for record in control}
    return [
        record.test_accuracy - other
        for record in mode
        if record.test_accuracy is not None and (other := of_control.get(record.spec.trial)) is not None
    ]


def _with_interval(differences: Sequence[float], metric: Metric) -> str:
    """`+0.07 (-0.01 to +0.15)`: the mean of paired differences, with the 95 % interval that reports give."""
    import numpy as np

    from frustration.statistics.paired import sign_flip_interval

    if not differences:
        return DASH
    if not any(differences):
        return "identical"
    estimate = sign_flip_interval(np.round(differences, 9), generator=np.random.default_rng(0))
    return with_interval(estimate, metric=metric)


def _count(records: Sequence[TrialRecord]) -> str:
    """How many trials there are, or, of an interrupted comparison, how many of them have begun."""
    begun = sum(record.loop > 0 for record in records)
    return f"{len(records)}" if begun == len(records) else f"{begun}/{len(records)}"


def inert_in(record: TrialRecord) -> tuple[str, ...]:
    """Its inert treatments; none of a trial that has no loop to tell by, or was cut off before loop 2."""
    return record.inert if record.curve and (record.finished or record.loop > 1) else ()


def same_as_control(records: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that went as the control's of that number did, to the bit, from loop 2 on at least."""
    course_of = {other.spec.trial: _course(other) for other in control}
    return [
        record
        for record in records
        if len(record.curve) > 1 and course_of.get(record.spec.trial) == _course(record)
    ]


def _course(record: TrialRecord) -> list[object]:
    return [record.test_accuracy, *((entry.loop, entry.loss, entry.accuracy) for entry in record.curve)]


def _note(records: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> str:
    notes = []
    if any(record.mixed for record in records):
        notes.append("mixed")
    same = {record.spec.id for record in same_as_control(records, control)}
    inert = sum(bool(inert_in(record)) or record.spec.id in same for record in records)
    if inert:
        notes.append("inert" if inert == len(records) else f"inert {inert} of {len(records)}")
    if any(entry.diverged for record in records for entry in record.curve):
        notes.append("diverged")
    return ", ".join(notes)
