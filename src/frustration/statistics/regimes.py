"""The training regime of an architecture, by two published rule sets, and how stable its label is.

Always on the bounty (validation, percent). Baselines are none, decay, dropout; ablations are full, hidden,
output. Of each mode: mean, standard deviation (ddof 0) and maximum over trials. mB, sB: mean and standard
deviation of the baselines' means; mA: mean of the ablations' means; e = max(sB, 0.5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frustration.errors import InputError
from frustration.statistics.inputs import Array, count, finite

RuleSet = Literal["paper", "code"]

BASELINES: Final = ("none", "decay", "dropout")
ABLATIONS: Final = ("full", "hidden", "output")
FAILURE: Final = "architectural failure"
BENEFICIAL: Final = "beneficial regularisation"
SIZED: Final = "optimally sized"
CHAOTIC: Final = "chaotic optimisation"
UNKNOWN: Final = "unknown"
NOT_JUDGED: Final = "not judged"
RULES: Final = (FAILURE, BENEFICIAL, SIZED, CHAOTIC)
"""In the order in which they are asked; the first that holds is the label, UNKNOWN if none does."""
ROUNDING: Final = 1e-9
"""Percents that are equal on paper differ by less than this as floats."""


@dataclass(frozen=True, kw_only=True)
class Regime:
    """The label of an architecture."""

    label: str
    rules: RuleSet
    not_judged: tuple[str, ...]
    """Rules that need modes which were not tried; if one comes before all that hold, so is the label."""
    missing: tuple[str, ...]
    """Modes not tried. The means of baselines and ablations are over those that were."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A condition in each of many resamples: known to hold, known to fail, or neither for want of modes."""

    holds: NDArray[np.bool_]
    fails: NDArray[np.bool_]

    @classmethod
    def of(cls, condition: NDArray[np.bool_], known: bool = True) -> Self:
        return cls(condition & known, ~condition & known)

    def __and__(self, other: Judged) -> Judged:
        return Judged(self.holds & other.holds, self.fails | other.fails)

    def __or__(self, other: Judged) -> Judged:
        return Judged(self.holds | other.holds, self.fails & other.fails)

    def __invert__(self) -> Judged:
        return Judged(self.fails, self.holds)


class _Group:
    """Baselines or ablations: mean, spread and maximum of each mode present, all (resamples, modes)."""

    def __init__(self, means: Array, stds: Array, maxima: Array, known: bool) -> None:
        self.known = known
        self.means, self.stds, self.maxima = means, stds, maxima
        self.mean, self.std = self.means.mean(axis=1), self.means.std(axis=1)
        self.best = self.maxima.max(axis=1)

    @classmethod
    def of_trials(cls, trials: list[Array], resamples: int) -> Self:
        """Of each mode's (resamples, trials)."""
        # A group without modes gets one of zeros, so that every formula runs; `known` says it means nothing.
        modes = trials or [np.zeros((resamples, 1))]
        return cls(
            np.stack([mode.mean(axis=1) for mode in modes], axis=1),
            np.stack([mode.std(axis=1) for mode in modes], axis=1),
            np.stack([mode.max(axis=1) for mode in modes], axis=1),
            known=bool(trials),
        )

    @classmethod
    def of_summaries(cls, summaries: list[tuple[float, float, float]]) -> Self:
        """Of each mode's mean, std (ddof 0) and maximum."""
        table = np.array(summaries or [(0.0, 0.0, 0.0)], dtype=np.float64).T[:, None, :]
        return cls(table[0], table[1], table[2], known=bool(summaries))

    def every(self, condition: NDArray[np.bool_]) -> Judged:
        """Whether the condition (resamples, modes) holds of every mode present."""
        return Judged.of(np.all(condition, axis=1), self.known)


def _above(a: Array, b: Array | float) -> NDArray[np.bool_]:
    return np.asarray(a > b + ROUNDING)


def _near(means: Array, middle: Array, reach: Array) -> NDArray[np.bool_]:
    """Which means (resamples, modes) lie within `reach` of `middle`, (resamples,) each."""
    return ~_above(np.abs(means - middle[:, None]), reach[:, None])


def _judge(base: _Group, ablated: _Group, zero_r: float, rules: RuleSet) -> list[Judged]:
    """Whether each of RULES holds, (resamples,) each; the letters are those of the module's docstring."""

    def of_both(condition: NDArray[np.bool_]) -> Judged:
        return Judged.of(condition, base.known and ablated.known)

    m_b, m_a, e = base.mean, ablated.mean, np.maximum(base.std, 0.5)
    lowest, highest = base.means.min(axis=1), ablated.means.max(axis=1)
    base_stuck = base.every(~_above(base.maxima, zero_r))
    ablated_stuck = ablated.every(~_above(ablated.maxima, zero_r))
    base_near = base.every(_near(base.means, m_b, e))
    ablated_near = of_both(np.all(_near(ablated.means, m_b, e), axis=1))
    none_far_above = of_both(~_above(highest, m_b + e))

    failure = base_stuck & ablated_stuck
    beneficial = none_far_above & base_near & ablated_near
    sized = of_both(_above(m_b - e, m_a))
    chaotic = (base_stuck & ~ablated_stuck) | of_both(_above(m_a, m_b + 0.5)) | ~base.every(base.stds <= 15.0)
    if rules == "code":
        low_means = base.every(~_above(base.means, zero_r)) & ablated.every(~_above(ablated.means, zero_r))
        failure |= low_means & ablated_stuck
        beneficial |= none_far_above & base_near & of_both(~_above(lowest + 0.01, highest))
        sized |= of_both(_above(base.best, ablated.best) & ~_above(m_a, m_b))
        together = ablated.every(_near(ablated.means, m_a, np.maximum(ablated.std, 0.5)))
        below = of_both(~_above(highest, lowest) & _above(m_b, m_a + 0.1))  # so mA < mB as well
        sized |= base_near & together & below
    return [failure, beneficial, sized, chaotic]


def _labels(judged: list[Judged]) -> list[str]:
    """The first rule that does not fail, per resample: its name if it holds, else NOT_JUDGED."""
    open_still = [~rule.fails for rule in judged]
    names = [np.where(rule.holds, name, NOT_JUDGED) for rule, name in zip(judged, RULES, strict=True)]
    return [str(label) for label in np.select(open_still, names, default=UNKNOWN)]


def regime(bounties: Mapping[str, ArrayLike], zero_r: float, rules: RuleSet = "paper") -> Regime:
    """The regime of one architecture: `bounties` maps modes to (trials,), `zero_r` is that of validation.

    Other modes than the six are not looked at.
    """
    trials = _checked(bounties, rules)
    judged = _judge(*_groups({mode: values[None, :] for mode, values in trials.items()}, 1), zero_r, rules)
    return _regime(judged, rules, trials)


def regime_of_summaries(
    summaries: Mapping[str, tuple[float, float, float]], zero_r: float, rules: RuleSet = "paper"
) -> Regime:
    """The same where only mean, std (ddof 0) and maximum of each mode's bounties are known."""
    known = {mode: [summaries[mode]] for mode in (*BASELINES, *ABLATIONS) if mode in summaries}
    _checked({mode: values[0] for mode, values in known.items()}, rules)
    base, ablated = (
        _Group.of_summaries([one for mode in group for one in known.get(mode, [])])
        for group in (BASELINES, ABLATIONS)
    )
    return _regime(_judge(base, ablated, zero_r, rules), rules, known)


def _regime(judged: list[Judged], rules: RuleSet, tried: Collection[str]) -> Regime:
    return Regime(
        label=_labels(judged)[0],
        rules=rules,
        not_judged=tuple(
            name for name, rule in zip(RULES, judged, strict=True) if not (rule.holds[0] or rule.fails[0])
        ),
        missing=tuple(mode for mode in (*BASELINES, *ABLATIONS) if mode not in tried),
    )


def label_frequencies(
    bounties: Mapping[str, ArrayLike],
    zero_r: float,
    rules: RuleSet = "paper",
    *,
    generator: np.random.Generator,
    joint: bool = True,
    resamples: int = 1_000,
) -> dict[str, float]:
    """How often each label comes out when trials are drawn again with replacement; most frequent first.

    joint: the modes are paired, one draw of trial numbers serves all of them. Otherwise each mode draws its
    own.
    """
    trials = _checked(bounties, rules)
    sizes = {values.size for values in trials.values()}
    if joint and len(sizes) > 1:
        raise InputError(
            f"modes with {sorted(sizes)} trials; trials can be drawn jointly from equal numbers only"
        )
    resamples = count(resamples, "resamples")
    shared = generator.integers(0, max(sizes), (resamples, max(sizes))) if joint else None
    drawn = {
        mode: values[
            shared if shared is not None else generator.integers(0, values.size, (resamples, values.size))
        ]
        for mode, values in trials.items()
    }
    labels, times = np.unique(_labels(_judge(*_groups(drawn, resamples), zero_r, rules)), return_counts=True)
    order = np.argsort(-times, kind="stable")
    return {str(labels[i]): float(times[i]) / resamples for i in order}


def _groups(trials: Mapping[str, Array], resamples: int) -> tuple[_Group, _Group]:
    base, ablated = ([trials[m] for m in group if m in trials] for group in (BASELINES, ABLATIONS))
    return _Group.of_trials(base, resamples), _Group.of_trials(ablated, resamples)


def _checked(bounties: Mapping[str, ArrayLike], rules: str) -> dict[str, Array]:
    if rules not in ("paper", "code"):
        raise InputError(f'rules: "{rules}" is not one of paper, code')
    modes = {m: finite(bounties[m], f"bounties of {m}") for m in (*BASELINES, *ABLATIONS) if m in bounties}
    if not modes:
        raise InputError(f"bounties: none of the modes {', '.join((*BASELINES, *ABLATIONS))}")
    return modes
