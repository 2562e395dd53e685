"""Networks that never learn are masked, and cells in which some trials take off are described as such."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.proportion import proportion_confint

from frustration.errors import InputError
from frustration.statistics.chance import chance_mask, chance_threshold, success, wilson

VALIDATION_ZERO_R, TEST_ZERO_R, IMAGES = 11.02, 11.35, 10_000


@pytest.mark.parametrize("zero_r, images", [(11.02, 10_000), (11.35, 10_000), (50.0, 40), (2.0, 300)])
@pytest.mark.parametrize("alpha, comparisons", [(0.05, 1), (0.05, 6_000), (0.2, 3)])
def test_the_threshold_is_the_first_count_that_chance_rarely_reaches(zero_r, images, alpha, comparisons):
    threshold = chance_threshold(zero_r, images, alpha=alpha, comparisons=comparisons)
    right = round(threshold * images / 100)
    assert right / images * 100 == pytest.approx(threshold)
    chance = scipy.stats.binom(images, zero_r / 100)
    assert chance.sf(right - 1) <= alpha / comparisons < chance.sf(right - 2)


def test_so_few_images_that_no_score_tells_give_a_threshold_above_100():
    assert chance_threshold(50.0, 4) > 100
    assert chance_mask([[100.0]], 50.0, 4).all()


def test_always_naming_one_class_is_chance_and_one_trial_that_learns_is_enough():
    stuck = np.full((6, 10), VALIDATION_ZERO_R)
    one_learns = stuck.copy()
    one_learns[5, 3] = 21.0
    mask = chance_mask([stuck.ravel(), one_learns.ravel()], VALIDATION_ZERO_R, IMAGES, looks=100)
    assert mask.tolist() == [True, False]
    assert mask.dtype == bool


def test_test_and_validation_are_held_against_their_own_zero_r():
    """A network that always names the largest class scores 11.35 on test, and learned nothing."""
    constant = [np.full(10, TEST_ZERO_R)]
    assert chance_mask(constant, TEST_ZERO_R, IMAGES).all()
    assert chance_threshold(TEST_ZERO_R, IMAGES) > chance_threshold(VALIDATION_ZERO_R, IMAGES)


def test_networks_that_guess_pass_the_mask_no_more_often_than_alpha():
    rng = np.random.default_rng(50)
    trials, looks = 10, 20
    guesses = rng.binomial(1_000, 0.11, (3_000, trials, looks)) / 10.0
    unmasked = ~chance_mask(list(guesses.max(axis=2)), 11.0, 1_000, looks=looks)
    assert 0 < np.mean(unmasked) <= 0.05
    without_looks = ~chance_mask(list(guesses.max(axis=2)), 11.0, 1_000)
    assert np.mean(without_looks) > 0.2  # the best of 20 looks, judged as if it were one


def test_a_bimodal_cell_has_a_success_rate_and_the_mean_of_those_that_took_off():
    cell = success([10.1, 9.8, 11.02, 70.0, 60.0, 10.0, 10.0, 9.9, 10.5, 11.0], 11.6)
    assert (cell.successes, cell.rate.value, cell.bimodal) == (2, 0.2, True)
    assert cell.conditional.value == 65.0
    assert cell.conditional.n == 2
    assert cell.conditional.low < 60.0 < 70.0 < cell.conditional.high


def test_cells_of_one_mode_are_not_bimodal():
    none, every, single = success([10.0, 10.2], 11.6), success([98.0, 98.2], 11.6), success([50.0], 11.6)
    assert (none.conditional, none.bimodal, none.rate.low) == (None, False, 0.0)
    assert (every.conditional.value, every.bimodal, every.rate.high) == (pytest.approx(98.1), False, 1.0)
    assert (single.conditional.low, single.conditional.high) == (-np.inf, np.inf)


def test_a_score_at_the_threshold_passes_however_its_float_was_made():
    threshold = chance_threshold(VALIDATION_ZERO_R, IMAGES)
    right = round(threshold * 100)
    for accuracy in (right / 100, 100 * (right / 10_000), 100.0 - (10_000 - right) / 100):
        assert success([accuracy], threshold).successes == 1
        assert success([accuracy - 0.01], threshold).successes == 0


@pytest.mark.parametrize("successes, n", [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (99, 100)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_interval_of_a_rate_is_wilsons(successes, n, level):
    ours = wilson(successes, n, level=level)
    expected = proportion_confint(successes, n, 1 - level, method="wilson")
    assert (ours.low, ours.high) == pytest.approx(expected, abs=1e-12)
    assert ours.low <= ours.value <= ours.high


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: chance_threshold(0.1102, 0), "images: 0"),
        (lambda: chance_threshold(110.2, 100), "zero_r / 100: 1.102"),
        (lambda: chance_mask([[10.0], [np.nan]], 11.0, 100), "accuracies of architecture 1: 1 of 1 values"),
        (lambda: chance_mask([[10.0]], 11.0, 100, looks=0), "looks: 0; expected 1 or more"),
        (lambda: success([], 11.0), r"accuracies: shape \(0,\)"),
        (lambda: wilson(3, 2), "successes: 3 of 2; expected 0 to 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
