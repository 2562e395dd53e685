"""What a study still lacks: which networks, which measures, who shares corrupted images. Without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from frustration.architecture import Architecture
from frustration.dataset import Split, load
from frustration.errors import InputError
from frustration.probes.settings import Wanted
from frustration.record import TrialRecord
from frustration.spec import TrialSpec
from frustration.study.probe_files import ProbeFileError, ProbeFiles, is_current
from frustration.study.store import Store

GROUP = 16
"""Networks that share the making of corrupted images; a kill costs at most one measure of each."""
OPERATIONS_PER_SECOND = 1.5e11
SECONDS_PER_ACTIVATION = 1e-9
SECONDS_PER_MEASURE = 0.05
"""Rough, from one core of a Zen 5; they only say how the costs of networks compare."""


@dataclass(frozen=True, eq=False)
class Data:
    """The data sets that a run needs, each read once."""

    _splits: dict[str, Split] = field(default_factory=dict)
    _digests: dict[tuple[str, float], str] = field(default_factory=dict)

    def of(self, spec: TrialSpec) -> Split:
        """What a trial was tested on; InputError where that is not what is here now."""
        if spec.dataset not in self._splits:
            self._splits[spec.dataset] = load(spec.dataset)
        split, key = self._splits[spec.dataset], (spec.dataset, spec.train_fraction)
        if key not in self._digests:
            self._digests[key] = split.fraction(spec.train_fraction).digest
        if self._digests[key] != spec.dataset_digest:
            raise InputError(
                f"the data of trial {spec.id} ({spec.dataset}) are not the data that is here now"
            )
        return split


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A network that lacks some measures."""

    spec: TrialSpec
    measures: tuple[str, ...]
    cost: float
    """Seconds, roughly."""


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """What is to be done."""

    missing: tuple[Missing, ...]
    done: int
    """Networks that lack nothing."""
    without: int
    """Finished trials that have no network."""
    complaints: tuple[str, ...]
    """Records that cannot be read and probe files that are left alone, a sentence each."""
    notes: tuple[str, ...] = ()
    """What cannot be measured at all, and why; nothing is wrong with it."""

    def groups(self, workers: int) -> list[list[str]]:
        """Ids of networks of one data set, seed and trial number, the costliest groups first.

        Latency alone makes no group: it is measured when nothing else is at work.
        """
        found: dict[tuple[str, float, int, int], list[Missing]] = {}
        for one in sorted(self.missing, key=lambda one: (str(one.spec.architecture), one.spec.id)):
            if set(one.measures) - {"latency"}:
                spec = one.spec
                key = (spec.dataset, spec.train_fraction, spec.seed, spec.trial)
                found.setdefault(key, []).append(one)
        count = sum(map(len, found.values()))
        size = max(1, min(GROUP, -(-count // (2 * workers))))
        parts = [some[i : i + size] for some in found.values() for i in range(0, len(some), size)]
        parts.sort(key=lambda part: sum(one.cost for one in part), reverse=True)
        return [[one.spec.id for one in part] for part in parts]

    @property
    def untimed(self) -> list[str]:
        """Ids of networks whose latency is to be measured."""
        return [one.spec.id for one in self.missing if "latency" in one.measures]


def plan(store: Store, wanted: Wanted, data: Data) -> ProbePlan:
    """Look through a study; InputError where it has no networks at all."""
    finished = sorted(store.ids()[0])
    if not finished:
        raise InputError(f"{store.root} holds no finished trial to probe; `frustration study run` makes some")
    there = [trial_id for trial_id in finished if store.network_path(trial_id).exists()]
    if not there:
        study = store.study()
        why = (
            "its study.toml says networks = false"
            if not study.networks
            else f"{store.root / 'networks'} holds none of its {len(finished):,} trials'"
        )
        raise InputError(
            f"{study.name} has kept no networks ({why}), and without them there is nothing to measure; "
            f"a study with networks = true and another name keeps them"
        )
    complaints: list[str] = []
    readable = list(_readable(store, there, complaints))
    records = [record for record in readable if not record.spec.problem]
    if len(records) < len(readable):
        complaints.append(
            f"{len(readable) - len(records):,} networks of problems are left out: probes know SimpleMLPs"
        )
    missing, done = [], 0
    for record in records:
        try:
            lacking = _lacking(store, record, wanted, data)
        except ProbeFileError as error:
            complaints.append(str(error))
            continue
        if lacking:
            cost = sum(_cost(record, measure, wanted, data) for measure in lacking)
            missing.append(Missing(spec=record.spec, measures=lacking, cost=cost))
        else:
            done += 1
    return ProbePlan(
        missing=tuple(missing),
        done=done,
        without=len(finished) - len(there),
        complaints=tuple(complaints),
        notes=tuple(_notes(records, wanted, data)),
    )


def measures_of(wanted: Wanted, split: Split) -> tuple[str, ...]:
    """The measures that apply to this data: tables of numbers cannot be blurred."""
    return tuple(name for name in wanted.measures if name != "corruptions" or split.pixel_values is not None)


def _notes(records: Iterable[TrialRecord], wanted: Wanted, data: Data) -> Iterable[str]:
    for name, spec in {record.spec.dataset: record.spec for record in records}.items():
        if len(measures_of(wanted, data.of(spec))) < len(wanted.measures):
            yield f"corruptions are made of images, and {name} holds numbers: they are not measured"


def _readable(store: Store, ids: Sequence[str], complaints: list[str]) -> Iterable[TrialRecord]:
    for trial_id in ids:
        try:
            yield store.record(trial_id)
        except InputError as error:
            complaints.append(str(error))


def _lacking(store: Store, record: TrialRecord, wanted: Wanted, data: Data) -> tuple[str, ...]:
    content, split = ProbeFiles(store.root).read(record.spec.id), data.of(record.spec)
    return tuple(
        measure
        for measure in measures_of(wanted, split)
        if not is_current(content, measure, wanted.settings(measure, len(split.test)))
    )


def _cost(record: TrialRecord, measure: str, wanted: Wanted, data: Data) -> float:
    """Rough seconds of one core."""
    test_images = len(data.of(record.spec).test)
    settings = wanted.settings(measure, test_images)
    images = settings.get("images", 0)
    hidden = record.spec.architecture.hidden if isinstance(record.spec.architecture, Architecture) else ()
    units = sum(hidden)
    passes = 1
    if measure == "knockout":  # the first layer is computed once
        first = 2 * hidden[0] * data.of(record.spec).features if units else 0
        passes = (len(settings["fractions"]) - 2) * settings["draws"]
        operations, activations = passes * max(0, record.flops - first), passes * units
    else:
        if measure == "weight_noise":
            passes = settings["draws"] * len(settings["sigmas"])
        elif measure == "corruptions":
            passes = sum(map(len, settings["severities"].values()))
        operations, activations = passes * record.flops, passes * units
    per_image = operations / OPERATIONS_PER_SECOND + activations * SECONDS_PER_ACTIVATION
    return float(SECONDS_PER_MEASURE + images * per_image)
