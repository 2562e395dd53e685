"""What the analysis of a study found: plain data that text, figures and HTML all read.

"Headline" is the score of the LKG on test; where only bounties are known, the bounty. Scores are accuracies
in percent, or what the metric of a problem says. Every interval is at the level it names; differences are
treatment minus control, whichever way is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from frustration.architecture import Architecture
from frustration.metric import ACCURACY, Metric
from frustration.report.results import Cell, Floats, Setting, parameters_of
from frustration.statistics.chance import Success
from frustration.statistics.equivalence import Equivalence
from frustration.statistics.families import Member
from frustration.statistics.power import MoreTrials
from frustration.statistics.results import Band, Estimate, Significance


@dataclass(frozen=True, kw_only=True)
class Moments:
    """What the original project printed of a cell."""

    mean: float
    std: float
    """Divided by n (ddof 0)."""
    least: float
    most: float
    n: int
    """Trials that have the number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CellSummary:
    """One treatment of one architecture."""

    cell: Cell
    bounty: Moments | None
    test: Moments | None
    """Of the LKG; None where it is not known."""
    headline: Estimate | None
    """Mean over trials with its t interval."""
    success: Success | None
    """How many trials beat chance, by the headline; None where chance is not known."""
    inert: bool
    acceptance: float | None
    """Share of the loops that were accepted, in percent."""
    harm: Estimate | None
    """Score lost to an intervention, mean over the loops with one; the trial is the unit."""
    recovery: Estimate | None
    """Score won back by the epoch after it."""
    late_gain: Estimate | None
    """By how much the best validation score improved in the last 20 % of the loops."""
    parameters: float
    flops: float
    """Of one forward pass of one sample of the LKG; mean over trials, as is all that follows."""
    training_flops: float
    """Forward operations per training image over the whole trial."""
    seconds: float
    """CPU time."""
    dendrites: float
    """Dendrites per neuron of the network trained last."""

    @property
    def label(self) -> str:
        return self.cell.label

    @property
    def bimodal(self) -> bool:
        """Some trials learn and some do not: the mean describes neither."""
        return self.success is not None and self.success.bimodal


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The same treatment and the arm that everything is set beside; no claim is made of it."""

    control: str
    difference: Estimate
    test: Significance


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A treatment against its control in one architecture, by the headline."""

    setting: Setting
    architecture: Architecture
    treatment: str
    control: str
    kind: str
    """own: the control that its mode names. substitute: another arm, where that one is missing. size:
    an ordinary network with as many parameters."""
    main: bool
    """Whether it is about a treatment; controls compared with controls are for the tables."""
    member: Member
    """Test, finding and p adjusted over all verdicts of its kind in the report."""
    acted: bool
    """False where it is inert: by its own records, or because it equals the control to the bit."""
    idle: int
    """Trials in which it is."""
    successes: tuple[int, int, int, int] | None
    """Where some trials learn and some do not, these are tested: treated trials that learn, of how many,
    control trials that learn, of how many. None where scores are."""
    beside: Beside | None
    explored_p: float | None
    """Adjusted by Benjamini and Hochberg over all comparisons of the study; None for inert ones."""
    difference: Estimate
    """Mean difference: inverted sign flips where trials are paired, else Welch's."""
    cliffs_delta: Estimate
    improvement: Estimate
    """Probability that a trial of treatment is better than one of control."""
    equivalence: Equivalence | None
    """None where nobody says which difference is too small to matter."""
    detectable: float
    """The smallest true difference that this comparison would find with a power of 0.8; may be infinite."""
    more: MoreTrials | None
    """How many more trials would find a difference of the margin; None without pairs or a margin."""

    @property
    def test(self) -> Significance:
        return self.member.test

    @property
    def finding(self) -> str:
        """better, worse, undecided, n too small, too few draws, mostly inert, inert, or identical.

        Identical: the treatment acted, and yet every trial came out as control did, as in networks that all
        stay at chance. Such a pair leaves its family like an inert one.
        """
        return "identical" if self.member.finding == "inert" and self.acted else self.member.finding

    @property
    def verdict(self) -> str:
        """The finding in words, with the n it needs or the trials in which nothing was done."""
        if self.finding in ("identical", "inert"):
            return self.finding
        part = f"inert in {self.idle} of {self.difference.n}" if self.idle else ""
        if self.finding == "mostly inert":
            return part
        return f"{self.member.verdict}; {part}" if part else self.member.verdict

    @property
    def tested(self) -> bool:
        """Whether it is in its family: neither inert nor identical."""
        return self.member.adjusted_p is not None


@dataclass(frozen=True, kw_only=True)
class RegimeFinding:
    """The regime of an architecture by one rule set."""

    rules: str
    """paper or code."""
    label: str
    confidence: float
    """How often the label comes out when trials are drawn again, from 0 to 1."""
    not_judged: tuple[str, ...]
    """Rules that could not be judged, because modes are missing."""
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The treatment with the highest headline of an architecture, control and inert ones considered too."""

    label: str
    runner_up: str | None
    p: float | None
    """The largest p of its tests against all others; None without a test."""
    decided: bool
    """Whether it beats every other one at alpha: only then may it be called the winner."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """One architecture in one setting: the primary family."""

    setting: Setting
    architecture: Architecture
    control: str | None
    """The arm that everything is set beside; None where there is nothing to compare."""
    cells: Mapping[str, CellSummary]
    """By label, in the study's order."""
    comparisons: Mapping[str, Comparison]
    """By label of the treatment: with its own control, or what stands in for it."""
    at_equal_size: Mapping[str, Comparison]
    """By label of the treatment: with an ordinary network of as many parameters."""
    learns: bool | None
    """Whether any trial of any treatment beats chance by its bounty; None where chance is not known."""
    regimes: Mapping[str, RegimeFinding]
    """By rule set, paper and code; empty where none of the six published modes was tried."""
    winner: Winner | None

    @property
    def parameters(self) -> int:
        """Of the plain network."""
        return parameters_of(summary.cell for summary in self.cells.values())


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A treatment against one control over several architectures of a setting that learn."""

    setting: Setting
    treatment: str
    control: str
    kind: str
    """As that of its comparisons."""
    main: bool
    """Whether it is about a treatment; controls compared with controls are for the tables."""
    architectures: int
    trials: int
    member: Member | None
    """Joint sign flips by trial number, p adjusted over all verdicts; None where trials are not paired."""
    varies: float | None
    """p of the hypothesis that all architectures have the same effect; None where trials are not paired."""
    difference: Estimate
    """Mean over architectures."""
    least: Comparison
    most: Comparison
    """The architectures with the lowest and the highest difference."""
    wins: Significance | None
    """Whether more architectures improve than get worse."""
    improvement: Estimate | None
    """Mean over architectures of the probability of improvement."""
    better: int
    """Architectures in which the treatment is better than control."""
    worse: int
    equivalent: int
    """Architectures in which the two agree within the margin."""

    def one_effect(self, alpha: float) -> bool:
        """Whether the average describes the architectures: nothing shows that their effects differ."""
        return self.varies is not None and self.varies > alpha


@dataclass(frozen=True, kw_only=True, eq=False)
class Aggregate:
    """A treatment over all architectures of a setting that learn, in the manner of rliable."""

    setting: Setting
    treatment: str
    architectures: int
    iqm: Estimate
    """Interquartile mean of the headline."""
    thresholds: Floats
    profile: Band
    """Share of all trials that are better than each threshold."""


@dataclass(frozen=True, kw_only=True)
class ParetoRow:
    """What a treatment of an architecture reaches, and what it costs."""

    setting: Setting
    architecture: Architecture
    label: str
    headline: Estimate
    parameters: float
    flops: float
    training_flops: float
    seconds: float
    best_for: tuple[str, ...]
    """Costs (parameters, flops, training_flops, seconds) at which nothing as cheap reaches more."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of a study in which networks grow, at equal epochs and at equal FLOPs."""

    label: str
    n: int
    grows: bool
    chosen: bool
    """False for a widened network of another size than was reached."""
    parameters: float
    """Of the LKG."""
    dendrites: float
    """Dendrites per neuron added, mean over trials."""
    inert: int
    """Trials that were to grow and did not."""
    test: Estimate | None
    """Of the LKG at the trial's own end."""
    bounty: Estimate | None
    """The same on validation."""
    epochs_bounty: Estimate | None
    """Best validation accuracy up to the common number of epochs."""
    flops_bounty: Estimate | None
    """Best validation accuracy within the common budget of training FLOPs."""
    flops_loops: float
    """Loops that the budget pays for, mean over trials."""
    against_test: Estimate | None
    """Paired difference to the reference in test accuracy, with its interval; None for the reference."""
    against_epochs: Estimate | None
    """In best validation accuracy, at equal epochs."""
    against_flops: Estimate | None
    test_p: Member | None
    epochs_p: Member | None
    flops_p: Member | None
    """Holm over the arms."""


@dataclass(frozen=True, kw_only=True)
class Arms:
    """The arms of one architecture."""

    setting: Setting
    architecture: Architecture
    reference: str
    epochs: int
    """The fewest of any trial that was not ended by a schedule of its own."""
    flops: float
    """The least training cost of any such trial, in forward operations per training image."""
    reached: int | None
    """Dendrites per neuron that most growing trials kept."""
    arms: tuple[Arm, ...]


@dataclass(frozen=True, kw_only=True)
class ProbeComparison:
    """A measure of the kept networks, treatment against control, paired by trial number."""

    setting: Setting
    architecture: Architecture
    measure: str
    higher_is_better: bool
    treatment: str
    control: str
    acted: bool
    """False where the treatment is inert by its own records."""
    member: Member
    mean: float
    control_mean: float
    difference: Estimate

    @property
    def verdict(self) -> str:
        """By what is good: a treatment with a lower ECE is better. Identical: equal in every pair."""
        if self.member.finding == "inert":
            return "identical" if self.acted else "inert"
        if self.higher_is_better:
            return self.member.verdict
        return {"better": "worse", "worse": "better"}.get(self.member.finding, self.member.verdict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Analysis:
    """All of it."""

    metric: str
    """The headline: test (of the LKG) or bounty."""
    alpha: float
    margin: float
    """Points within which two arms are called equivalent, where scores are counted in points."""
    paired: bool
    runs: bool
    """Whether these are runs that were made elsewhere, of which scores alone are known."""
    looks: tuple[int, ...]
    """Trials of a cell at every look that could have led to a claim, this one last."""
    groups: tuple[Group, ...]
    claims: tuple[Claim, ...]
    aggregates: tuple[Aggregate, ...]
    pareto: tuple[ParetoRow, ...]
    arms: tuple[Arms, ...]
    probes: tuple[ProbeComparison, ...]

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """What scores mean here, one of each kind."""
        return tuple(dict.fromkeys(group.setting.metric for group in self.groups)) or (ACCURACY,)

    @property
    def scores(self) -> str:
        """What scores are called: by the name of their metric, if there is one only."""
        names = {metric.name for metric in self.metrics}
        return names.pop() if len(names) == 1 else "score"

    @property
    def unit(self) -> str:
        """Behind the head of a column of scores: `%`, or nothing where settings differ in it."""
        units = {metric.unit for metric in self.metrics}
        return units.pop() if len(units) == 1 else ""

    @property
    def headline(self) -> str:
        """How tables call it."""
        if self.runs:
            return self.scores
        return f"LKG test {self.scores}" if self.metric == "test" else "bounty (validation)"

    @property
    def in_points(self) -> bool:
        """Whether all differences are points and one margin is that of all."""
        return all(metric.in_points and metric.margin is None for metric in self.metrics)

    def column(self, what: str) -> str:
        """`bounty %`: the head of a column of scores."""
        return f"{what} {self.unit}".rstrip()

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every treatment with its control."""
        return tuple(one for group in self.groups for one in group.comparisons.values())

    @property
    def verdicts(self) -> tuple[Comparison, ...]:
        """These, and the treatments at equal size."""
        return tuple(
            one
            for group in self.groups
            for one in (*group.comparisons.values(), *group.at_equal_size.values())
        )

    def group(self, setting: Setting, architecture: Architecture) -> Group:
        return next(g for g in self.groups if (g.setting, g.architecture) == (setting, architecture))
