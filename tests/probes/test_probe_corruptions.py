"""Corrupted images are what docs/probes.md says, stronger ones more of the same."""

import numpy as np
import pytest
from probe_kit import NEVER
from scipy.ndimage import gaussian_filter

from frustration.probes.corruptions import CORRUPTIONS, DIRECTIONS, corrupted
from frustration.probes.draws import Draws
from frustration.probes.settings import SEVERITIES

SHAPE = (12, 10)
NOTHING = {"gaussian_noise": 0, "impulse_noise": 0, "shift": 0, "blur": 0.1, "occlusion": 0, "contrast": 1}
"""Strengths that change nothing."""


def images(count=300, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, int(np.prod(shape))), dtype=np.uint8)


def made(name, *strengths, of=None, shape=SHAPE, trial=0):
    """[strengths, images, ...shape] of bytes."""
    of = images(shape=shape) if of is None else of
    found = corrupted(of, shape, Draws(0, trial), {name: strengths}, NEVER)
    return np.stack([some.numpy().reshape(-1, *shape) for _, _, some in found])


def test_every_corruption_has_strengths_and_every_strength_a_corruption():
    assert set(CORRUPTIONS) == set(SEVERITIES) == set(NOTHING)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_no_strength_is_no_corruption(name):
    assert (made(name, NOTHING[name])[0] == images().reshape(-1, *SHAPE)).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_are_corrupted_more_by_each_strength(name):
    smooth = gaussian_filter(images().reshape(-1, *SHAPE).astype(float), (0, 2, 2)) * 2
    of = smooth.clip(0, 255).astype(np.uint8).reshape(len(smooth), -1)
    levels = made(name, *SEVERITIES[name], of=of).astype(float)
    distances = np.abs(levels - of.reshape(-1, *SHAPE)).mean((1, 2, 3))
    assert (np.diff(distances) > 0).all()


@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "shift", "occlusion"])
def test_trials_see_other_draws_and_modes_the_same(name):
    strength = SEVERITIES[name][-1]
    assert (made(name, strength) == made(name, strength)).all()
    assert (made(name, strength) != made(name, strength, trial=1)).any()
    assert (made(name, *SEVERITIES[name])[-1] == made(name, strength)[0]).all()


def test_gaussian_noise_has_its_standard_deviation():
    grey = np.full((300, 120), 128, np.uint8)
    weak, strong = (made("gaussian_noise", 0.05, 0.1, of=grey).astype(float) - 128) / 255
    assert weak.std() == pytest.approx(0.05, rel=0.02)
    assert np.abs(strong - 2 * weak).max() < 0.01  # the same noise, rounded to bytes
    assert abs(strong.mean()) < 0.002


def test_impulse_noise_makes_its_share_of_pixels_black_or_white():
    grey = np.full((300, 120), 128, np.uint8)
    weak, strong = made("impulse_noise", 0.1, 0.3, of=grey)
    assert set(np.unique(strong)) == {0, 128, 255}
    assert (strong != 128).mean() == pytest.approx(0.3, abs=0.01)
    assert (strong == 0).mean() == pytest.approx(0.15, abs=0.01)
    assert (strong[weak != 128] == weak[weak != 128]).all()


def test_shift_moves_each_image_in_one_of_eight_directions():
    before, after = images().reshape(-1, *SHAPE), made("shift", 2)[0]
    seen = []
    for one, moved in zip(before, after, strict=True):
        candidates = []
        for down, right in DIRECTIONS:
            expected = np.zeros((16, 14), np.uint8)
            expected[2 + 2 * down : 14 + 2 * down, 2 + 2 * right : 12 + 2 * right] = one
            candidates.append((expected[2:14, 2:12] == moved).all())
        assert sum(candidates) == 1
        seen.append(candidates.index(True))
    assert set(seen) == set(range(8))


def test_colours_move_together():
    shape = (3, *SHAPE)
    one = images(40)
    after = made("shift", 3, of=np.tile(one, 3), shape=shape)[0]
    assert (after[:, 0] == after[:, 1]).all()
    assert (after[:, 0] == after[:, 2]).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_blur_is_a_gaussian_filter(sigma):
    expected = gaussian_filter(
        images().reshape(-1, *SHAPE).astype(float), (0, sigma, sigma), mode="nearest", truncate=4
    )
    assert np.abs(made("blur", sigma)[0] - expected).max() < 0.51  # rounded to bytes


def test_occlusion_hides_one_rectangle_and_nothing_else():
    white = np.full((400, 120), 255, np.uint8)
    hidden = made("occlusion", 0.5, of=white)[0] == 0
    assert (hidden.sum((1, 2)) == 6 * 5).all()
    rows, columns = hidden.any(2), hidden.any(1)
    assert (rows.sum(1) == 6).all()
    assert (columns.sum(1) == 5).all()
    corners = {(int(r.argmax()), int(c.argmax())) for r, c in zip(rows, columns, strict=True)}
    assert len(corners) == 7 * 6  # everywhere it can be


def test_contrast_by_hand():
    of = np.array([[0, 255], [100, 100]], np.uint8)
    assert made("contrast", 0.5, of=of, shape=(1, 2))[0].reshape(2, 2).tolist() == [[64, 191], [100, 100]]
