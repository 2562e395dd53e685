"""Training regimes by both published rule sets, also where modes are missing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.statistics.regimes import ABLATIONS, BASELINES, label_frequencies, regime

MODES = (*BASELINES, *ABLATIONS)
ZERO_R = 11.02
PUBLISHED = {  # mean and standard deviation (ddof 0) of ten bounties per mode
    "1*64": [(96.74, 0.12), (96.78, 0.16), (96.98, 0.14), (95.46, 0.14), (95.81, 0.23), (94.65, 0.29)],
    "1*32": [(95.49, 0.20), (95.47, 0.21), (95.61, 0.20), (93.04, 0.32), (93.80, 0.41), (93.00, 0.49)],
    "1*2048": [(98.25, 0.06), (98.21, 0.04), (98.20, 0.05), (98.11, 0.07), (98.19, 0.06), (97.89, 0.12)],
    "18*18": [(10.48, 0.51), (10.22, 0.74), (10.18, 0.39), (11.20, 2.74), (10.11, 0.47), (18.87, 17.87)],
}


def constant(*means):
    """Ten equal trials per mode."""
    return {mode: np.full(10, mean) for mode, mean in zip(MODES, means, strict=True)}


@pytest.mark.parametrize("rules", ["paper", "code"])
@pytest.mark.parametrize(
    "architecture, label",
    [
        ("1*64", "optimally sized"),
        ("1*32", "optimally sized"),
        ("1*2048", "beneficial regularisation"),
        ("18*18", "chaotic optimisation"),
    ],
)
def test_published_means_and_deviations_give_the_label_that_the_rules_ask_for(architecture, label, rules):
    """The trials are not given; any with this mean and deviation do where no maximum decides."""
    bounties = {
        mode: np.repeat([mean - std, mean + std], 5)
        for mode, (mean, std) in zip(MODES, PUBLISHED[architecture], strict=True)
    }
    outcome = regime(bounties, ZERO_R, rules)
    assert (outcome.label, outcome.not_judged, outcome.missing) == (label, (), ())


def plainly(bounties, rules):
    """The rules as published, in plain Python on whole thousandths of a percent."""
    trials = {mode: [round(10 * value * 1000) / 10_000 for value in bounties[mode]] for mode in MODES}
    mean = {mode: round(sum(values) / len(values), 9) for mode, values in trials.items()}
    best = {mode: max(values) for mode, values in trials.items()}
    b, a = [mean[mode] for mode in BASELINES], [mean[mode] for mode in ABLATIONS]
    m_b, m_a = sum(b) / 3, sum(a) / 3
    s_a, s_b = np.std(a), np.std(b)
    e = max(s_b, 0.5)
    best_b, best_a = max(best[mode] for mode in BASELINES), max(best[mode] for mode in ABLATIONS)

    def near(values, middle, reach):
        return all(abs(value - middle) <= reach + 1e-9 for value in values)

    code = rules == "code"
    if max(best.values()) <= ZERO_R or (code and max(mean.values()) <= ZERO_R and best_a <= ZERO_R):
        return "architectural failure"
    even = near(a, m_b, e) or (code and max(a) - min(b) >= 0.01 - 1e-9)
    if not max(a) > m_b + e + 1e-9 and near(b, m_b, e) and even:
        return "beneficial regularisation"
    small_loss = m_a < m_b and max(a) - min(b) <= 1e-9 and m_b - m_a > 0.1 + 1e-9
    if (
        m_a < m_b - e - 1e-9
        or (code and best_b > best_a + 1e-9 and m_a <= m_b + 1e-9)
        or (code and near(b, m_b, e) and near(a, m_a, max(s_a, 0.5)) and small_loss)
    ):
        return "optimally sized"
    deviation = max(np.std(trials[mode]) for mode in BASELINES)
    if (best_b <= ZERO_R < best_a) or m_a > m_b + 0.5 + 1e-9 or deviation > 15:
        return "chaotic optimisation"
    return "unknown"


CELLS = st.one_of(
    st.lists(st.sampled_from([9.8, 10.5, 11.02, 11.03, 11.5]), min_size=2, max_size=4),
    st.lists(st.integers(9600, 9680).map(lambda h: h / 100), min_size=2, max_size=4),
    st.lists(st.sampled_from([10.0, 11.02, 60.0, 96.0, 96.4]), min_size=2, max_size=4),
)


@pytest.mark.parametrize("rules", ["paper", "code"])
@given(st.fixed_dictionaries(dict.fromkeys(MODES, CELLS)))
@settings(max_examples=400)
def test_labels_are_those_of_the_rules_written_out_plainly(rules, bounties):
    assert regime(bounties, ZERO_R, rules).label == plainly(bounties, rules)


@pytest.mark.parametrize(
    "means, paper, code",
    [
        ((11.02,) * 6, "architectural failure", "architectural failure"),
        ((98.2, 98.2, 98.2, 98.2, 98.2, 98.2), "beneficial regularisation", "beneficial regularisation"),
        ((96.0, 96.0, 96.0, 95.0, 95.0, 95.0), "optimally sized", "optimally sized"),
        ((10.0, 10.0, 10.0, 10.0, 10.0, 50.0), "chaotic optimisation", "chaotic optimisation"),
        # One ablation loses much, the others gain: too far for the paper's second rule only.
        ((96.0, 96.0, 96.0, 96.3, 96.3, 95.3), "unknown", "beneficial regularisation"),
        ((96.0, 96.0, 96.0, 95.9, 95.9, 95.3), "unknown", "optimally sized"),
    ],
)
def test_where_the_two_rule_sets_part(means, paper, code):
    assert regime(constant(*means), ZERO_R, "paper").label == paper
    assert regime(constant(*means), ZERO_R, "code").label == code


def test_a_gain_of_a_hundredth_is_one_however_its_floats_fell():
    """95.49 - 95.48 is 0.00999… in floats."""
    assert 95.49 - 95.48 < 0.01
    just, short = (
        constant(95.48, 95.48, 95.48, 95.49, 94.0, 94.0),
        constant(95.48, 95.48, 95.48, 95.48, 94, 94),
    )
    assert regime(just, ZERO_R, "code").label == "beneficial regularisation"
    assert regime(short, ZERO_R, "code").label == "optimally sized"


def test_only_the_six_modes_are_looked_at():
    bounties = constant(96.0, 96.0, 96.0, 95.0, 95.0, 95.0)
    assert regime({**bounties, "dendrites": [99.0] * 10}, ZERO_R) == regime(bounties, ZERO_R)


def test_without_decay_the_baselines_are_the_other_two_and_the_result_says_so():
    bounties = constant(96.0, 96.0, 96.2, 95.0, 95.0, 95.0)
    del bounties["decay"]
    outcome = regime(bounties, ZERO_R)
    assert (outcome.label, outcome.missing, outcome.not_judged) == ("optimally sized", ("decay",), ())


def test_without_any_ablation_three_rules_cannot_be_judged():
    outcome = regime({"none": [96.0, 96.1], "dropout": [96.2, 96.3]}, ZERO_R)
    assert outcome.label == "not judged"
    assert outcome.not_judged == ("beneficial regularisation", "optimally sized", "chaotic optimisation")
    assert outcome.missing == ("decay", *ABLATIONS)
    stuck = regime({"none": [10.0, 11.02]}, ZERO_R)  # an ablation might have learned
    assert stuck.not_judged[0] == "architectural failure"


def test_without_any_baseline_only_failure_can_be_ruled_out():
    outcome = regime({"hidden": [96.0, 96.1]}, ZERO_R, "code")
    assert outcome.label == "not judged"
    assert "architectural failure" not in outcome.not_judged
    assert set(outcome.not_judged) == {
        "beneficial regularisation",
        "optimally sized",
        "chaotic optimisation",
    }


def test_a_rule_that_fails_already_is_judged_though_modes_are_missing():
    outcome = regime({"none": [98.0], "decay": [90.0], "dropout": [98.0]}, ZERO_R)  # baselines far apart
    assert "beneficial regularisation" not in outcome.not_judged


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(MODES, CELLS)).filter(len))
def test_what_is_judged_of_some_modes_stands_when_a_whole_group_is_added(bounties):
    """A label is never taken back because the group that was missing is tried after all."""
    outcome = regime(bounties, ZERO_R, "code")
    if outcome.label == "not judged":
        return
    for group, mean in itertools.product((BASELINES, ABLATIONS), (10.0, 96.0)):
        if not set(group) & set(bounties):
            assert regime({**bounties, group[0]: [mean, mean]}, ZERO_R, "code").label == outcome.label


def test_a_label_far_from_every_border_is_certain_and_one_at_a_border_is_not():
    sure = constant(96.0, 96.0, 96.0, 95.0, 95.0, 95.0)
    assert label_frequencies(sure, ZERO_R, generator=np.random.default_rng(1)) == {"optimally sized": 1.0}
    border = {**sure, **{mode: np.repeat([95.0, 96.0], 5) for mode in ABLATIONS}}
    frequencies = label_frequencies(border, ZERO_R, generator=np.random.default_rng(1))
    assert list(frequencies.values()) == sorted(frequencies.values(), reverse=True)
    assert sum(frequencies.values()) == pytest.approx(1.0)
    assert 0.2 < frequencies["optimally sized"] < 0.8


@pytest.mark.parametrize("joint", [True, False])
def test_resampled_labels_are_the_labels_of_the_resamples(joint):
    rng = np.random.default_rng(90)
    bounties = {mode: rng.choice([10.0, 60.0, 96.0], 5) for mode in MODES}
    frequencies = label_frequencies(
        bounties, ZERO_R, "code", generator=np.random.default_rng(3), joint=joint, resamples=200
    )
    again = np.random.default_rng(3)
    if joint:
        drawn = dict.fromkeys(MODES, again.integers(0, 5, (200, 5)))
    else:
        drawn = {mode: again.integers(0, 5, (200, 5)) for mode in MODES}
    labels = [
        regime({mode: bounties[mode][drawn[mode][i]] for mode in MODES}, ZERO_R, "code").label
        for i in range(200)
    ]
    assert frequencies == {label: labels.count(label) / 200 for label in set(labels)}


def test_trials_that_are_paired_are_drawn_together():
    """All modes fail in the same trials, so no resample has some modes stuck and others not."""
    bounties = {mode: [96.0, 11.0, 11.0, 11.0] for mode in MODES}
    generator = np.random.default_rng(4)
    joint = label_frequencies(bounties, ZERO_R, generator=generator)
    assert set(joint) <= {"architectural failure", "beneficial regularisation"}
    apart = label_frequencies(bounties, ZERO_R, generator=generator, joint=False)
    assert "chaotic optimisation" in apart


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: regime({"none": [96.0, np.nan]}, ZERO_R), "bounties of none: 1 of 2 values are not finite"),
        (lambda: regime({"dendrites": [96.0]}, ZERO_R), "bounties: none of the modes none, decay, dropout"),
        (lambda: regime({"none": [96.0]}, ZERO_R, "map"), 'rules: "map" is not one of paper, code'),
        (
            lambda: label_frequencies(
                {"none": [96.0], "full": [95.0, 95.1]}, ZERO_R, generator=np.random.default_rng(1)
            ),
            r"modes with \[1, 2\] trials; trials can be drawn jointly from equal numbers only",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
