"""All probe files of a study as arrays, one row for each network. Imports no torch.

What was not measured is NaN. Networks whose draws, images or levels are not those of most are NaN in that
measure and named in `problems`: their numbers cannot be compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from frustration.study.probe_files import PROBE, ProbeFileError, ProbeFiles

Floats = NDArray[np.float64]
Names = NDArray[np.str_]
Numbers = NDArray[np.int64]
File = Mapping[str, Any]

IDENTITY = ("architecture", "dataset", "train_fraction", "learning_rate", "seed", "trial")
"""What two networks of a pair have in common."""


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """How one number for each network is to be read."""

    label: str
    unit: str
    better: Literal["higher", "lower", "neither"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """Accuracy in percent over levels [levels]; accuracy and std (over draws; NaN where there are none) are
    [networks, levels]."""

    levels: Floats
    accuracy: Floats
    std: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Probes:
    """The networks of a study that were probed, in the order of their ids; every array is [networks, ...]."""

    ids: tuple[str, ...]
    architecture: Names
    mode: Names
    dataset: Names
    trial: Numbers
    seed: Numbers
    train_fraction: Floats
    learning_rate: Floats
    parameters: Numbers
    knockout: Curves
    weight_noise: Curves
    corruptions: Mapping[str, Curves]
    scalars: Mapping[str, Floats]
    """One number for each network; SCALARS says what they are."""
    settings: Mapping[str, Mapping[str, Any]]
    """By measure, those of most networks; a measure that nobody took is missing."""
    problems: tuple[str, ...]
    """Sentences: files that cannot be read, settings that differ."""

    def __len__(self) -> int:
        return len(self.ids)

    def pairs(self, mode: str, control: str = "none") -> tuple[Numbers, Numbers]:
        """Rows of a mode and rows of its control [pairs] that agree in everything else (IDENTITY)."""
        keys = list(zip(*(getattr(self, name).tolist() for name in IDENTITY), strict=True))
        at = {key: row for row, key in enumerate(keys) if self.mode[row] == control}
        rows = [row for row in range(len(self)) if self.mode[row] == mode and keys[row] in at]
        return np.array(rows, np.int64), np.array([at[keys[row]] for row in rows], np.int64)


def read_probes(root: Path) -> Probes:
    """All probe files of the study in a folder."""
    files, problems = _files(root)
    settings: dict[str, Mapping[str, Any]] = {}
    for measure in sorted({name for file in files for name in file["measures"]}):
        settings[measure] = _usual(files, measure, problems)

    def column(name: str, dtype: Any) -> Any:
        return np.array([file[name] for file in files], dtype)

    def of(measure: str) -> list[File | None]:
        """A measure of every network, None where it was not taken as most were."""
        taken = [file["measures"].get(measure) for file in files]
        return [one if one and one["settings"] == settings[measure] else None for one in taken]

    severities = settings.get("corruptions", {}).get("severities", {})
    corruptions = {
        name: _curves([one and {"accuracy": one["accuracy"][name]} for one in of("corruptions")], levels)
        for name, levels in severities.items()
    }
    return Probes(
        ids=tuple(file["id"] for file in files),
        architecture=column("architecture", np.str_),
        mode=column("mode", np.str_),
        dataset=column("dataset", np.str_),
        trial=column("trial", np.int64),
        seed=column("seed", np.int64),
        train_fraction=column("train_fraction", np.float64),
        learning_rate=column("learning_rate", np.float64),
        parameters=column("parameters", np.int64),
        knockout=_curves(of("knockout"), settings.get("knockout", {}).get("fractions", [])),
        weight_noise=_curves(of("weight_noise"), settings.get("weight_noise", {}).get("sigmas", [])),
        corruptions=corruptions,
        scalars=_scalars(files, of, corruptions, settings),
        settings=settings,
        problems=tuple(problems),
    )


def _files(root: Path) -> tuple[list[File], list[str]]:
    """What can be read, and sentences on the rest."""
    store = ProbeFiles(root)
    files: list[File] = []
    problems: list[str] = []
    for trial_id in store.ids():
        try:
            content = store.read(trial_id)
        except ProbeFileError as error:
            problems.append(str(error))
            continue
        if content is not None and content.keys() == PROBE.keys():
            files.append(content)
        elif content is not None:
            problems.append(f"{store.path(trial_id)} does not say which network it is about")
    return files, problems


def _usual(files: Sequence[File], measure: str, problems: list[str]) -> Mapping[str, Any]:
    """The settings that most networks were measured with; of equally many, the last by their text."""
    found = Counter(
        json.dumps(file["measures"][measure]["settings"], sort_keys=True)
        for file in files
        if measure in file["measures"]
    )
    usual = max(found, key=lambda text: (found[text], text))
    if others := found.total() - found[usual]:
        problems.append(
            f"{measure} of {others:,} of {found.total():,} networks was measured with other settings than "
            f"most and is left out; `frustration probe STUDY --what {measure}` measures all alike"
        )
    return dict(json.loads(usual))


def _curves(taken: Sequence[File | None], levels: Sequence[float]) -> Curves:
    """Of objects with a list `accuracy`, and perhaps one `std`."""
    nothing = [np.nan] * len(levels)
    shape = (len(taken), len(levels))
    means = [nothing if one is None else one["accuracy"] for one in taken]
    stds = [nothing if one is None else one.get("std", nothing) for one in taken]
    return Curves(
        levels=np.array(levels, np.float64),
        accuracy=np.array(means, np.float64).reshape(shape),
        std=np.array(stds, np.float64).reshape(shape),
    )


def _scalars(
    files: Sequence[File],
    of: Callable[[str], list[File | None]],
    corruptions: Mapping[str, Curves],
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, Floats]:
    def column(measure: str, value: Callable[[File], float | None]) -> Floats:
        values = [None if one is None else value(one) for one in of(measure)]
        return np.array([np.nan if one is None else one for one in values], np.float64)

    found = {
        "test_accuracy": np.array([file["test_accuracy"] for file in files], np.float64),
        "knockout_area": column("knockout", lambda one: one["area"]),
        "weight_noise_area": column("weight_noise", lambda one: one["area"]),
        "corruption_mean": column("corruptions", lambda one: one["mean"]),
        **{f"corruption_{name}": curves.accuracy.mean(1) for name, curves in corruptions.items()},
        "ece": column("calibration", lambda one: one["ece"]),
        "nll": column("calibration", lambda one: one["nll"]),
        "dead": column("representation", lambda one: _share(sum(one["dead"]), sum(one["units"]))),
        "effective_rank": column("representation", _rank_share),
    }
    for measure, name, value in (
        ("latency", "latency_{}_us", "median_us"),
        ("memory", "memory_{}_bytes", "peak_bytes"),
    ):
        for number, batch in enumerate(settings.get(measure, {}).get("batches", [])):
            values = [None if one is None else one[value][number] for one in of(measure)]
            found[name.format(batch)] = np.array(values, np.float64)
    return found


def _share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _rank_share(one: File) -> float | None:
    """Mean over hidden layers of effective rank / units, percent."""
    shares = [100 * rank / units for rank, units in zip(one["effective_rank"], one["units"], strict=True)]
    return sum(shares) / len(shares) if shares else None


def _corruption_label(name: str) -> str:
    return f"accuracy under {name.replace('_', ' ')}"


SCALARS: Mapping[str, Scalar] = {
    "test_accuracy": Scalar(label="test accuracy", unit="%", better="higher"),
    "knockout_area": Scalar(label="mean accuracy over knock-outs", unit="%", better="higher"),
    "weight_noise_area": Scalar(label="mean accuracy under weight noise", unit="%", better="higher"),
    "corruption_mean": Scalar(label="mean accuracy on corrupted images", unit="%", better="higher"),
    **{
        f"corruption_{name}": Scalar(label=_corruption_label(name), unit="%", better="higher")
        for name in ("gaussian_noise", "impulse_noise", "shift", "blur", "occlusion", "contrast")
    },
    "ece": Scalar(label="expected calibration error", unit="%", better="lower"),
    "nll": Scalar(label="negative log-likelihood", unit="nats", better="lower"),
    "dead": Scalar(label="dead hidden units", unit="%", better="neither"),
    "effective_rank": Scalar(label="effective rank of hidden layers", unit="% of units", better="neither"),
    "latency_1_us": Scalar(label="latency, batch of 1", unit="µs", better="lower"),
    "latency_256_us": Scalar(label="latency, batch of 256", unit="µs", better="lower"),
    "memory_1_bytes": Scalar(label="peak memory, batch of 1", unit="bytes", better="lower"),
    "memory_256_bytes": Scalar(label="peak memory, batch of 256", unit="bytes", better="lower"),
}
