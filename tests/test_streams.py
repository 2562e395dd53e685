"""Random draws: the generator is the published one, and a draw depends on its name and on nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frustration import Architecture
from frustration.engine import masks
from frustration.network import Shape
from frustration.streams import (
    PURPOSES,
    Stream,
    Streams,
    dropout_keep,
    dropout_threshold,
    philox4x32,
)

# Counter, key and output of philox4x32 with 10 rounds, from kat_vectors of the Random123 library.
KNOWN_ANSWERS = [
    (
        (0x00000000, 0x00000000, 0x00000000, 0x00000000),
        (0x00000000, 0x00000000),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
GOLDEN = {
    "init": [8740455598167887558, 12279637548828836273],
    "uniform": [0.4738210439682007, 0.665680468082428, 0.3958430886268616],
    "order": [8, 7, 9, 6, 5, 0, 3, 2, 4, 1],
    "dropout_key": 2022774093652862523,
    "ablation": 11,
    "noise": [0.3037771490998346, 0.6469441062722949, 0.6402688940315651],
}
SMALL = Architecture((4, 3))
OTHER = Architecture((4, 4))


def streams(seed: int = 0, trial: int = 0, architecture: Architecture = SMALL) -> Streams:
    return Streams(seed, trial, architecture)


def some_stream(number: int = 0) -> Stream:
    return streams(trial=number).stream("ablation", loop=1)


@pytest.mark.parametrize("counter, key, output", KNOWN_ANSWERS)
def test_philox_gives_its_published_answers(counter, key, output):
    words = philox4x32(tuple(np.array(c, np.uint64) for c in counter), key[0] | key[1] << 32)
    assert tuple(int(word) for word in words) == output


@pytest.mark.parametrize("counter, key, output", KNOWN_ANSWERS)
def test_philox_in_torch_gives_its_published_answers(counter, key, output):
    words = masks.philox4x32(tuple(torch.tensor(c) for c in counter), torch.tensor(key))
    assert tuple(int(word) for word in words) == output


@settings(max_examples=25)
@given(
    keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3),
    hidden=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    samples=st.integers(1, 11),
    first=st.integers(0, 2**32 - 4),
    count=st.integers(1, 3),
    p=st.floats(0.0, 0.99),
)
def test_stacked_masks_are_those_of_single_networks(keys, hidden, samples, first, count, p):
    """Whatever the number of networks, the widths of their layers and the size of the batch."""
    rates = [p / (n + 1) for n in range(len(keys))]
    stacked = list(masks.Masks(keys, rates, hidden, torch.device("cpu")).steps(first, count, samples))
    assert len(stacked) == count
    for step, of_all in enumerate(stacked, start=first):
        for key, rate, network in zip(keys, rates, of_all, strict=True):
            for layer, keep in enumerate(network.split(hidden)):
                expected = dropout_keep(key, step, layer, hidden[layer], samples, rate)
                assert np.array_equal(keep.numpy(), expected)


def test_masks_do_not_depend_on_how_many_steps_are_made_at_once(monkeypatch):
    def made(blocks_at_once):
        monkeypatch.setattr(masks, "_BLOCKS_AT_ONCE", blocks_at_once)
        return torch.stack(list(masks.Masks([1, 2], [0.1, 0.5], [3, 2], torch.device("cpu")).steps(5, 7, 10)))

    assert torch.equal(made(1), made(1 << 15))


def test_a_larger_batch_drops_the_same_units_of_the_samples_it_shares_with_a_smaller():
    large, small = (dropout_keep(7, 3, 1, units=6, samples=n, p=0.3) for n in (40, 9))
    assert np.array_equal(large[:, :9], small)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_its_share(p):
    dropped = 1 - dropout_keep(12345, step=1, layer=0, units=200, samples=1_000, p=p).mean()
    assert dropped == pytest.approx(p, abs=4 * (p * (1 - p) / 200_000) ** 0.5)


def test_every_step_layer_unit_and_sample_has_its_own_draw():
    keep = np.stack(
        [dropout_keep(9, step, layer, 20, 20, 0.5) for step in range(2) for layer in range(2)]
    ).astype(float)
    flat = [
        keep.reshape(4, -1),
        keep.transpose(1, 0, 2).reshape(20, -1),
        keep.transpose(2, 0, 1).reshape(20, -1),
    ]
    for rows in flat:
        correlations = np.corrcoef(rows) - np.eye(len(rows))
        assert np.abs(correlations).max() < 5 / rows.shape[1] ** 0.5


def test_the_dropout_threshold_is_the_nearest_32_bit_number():
    assert [dropout_threshold(p) for p in (0.0, 0.5, 1 - 2**-33)] == [0, 2**31, 2**32]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 100, 255, 256, 257, 50_000])
def test_an_order_holds_every_sample_once(count):
    order = some_stream().permutation(count)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(count))


@pytest.mark.parametrize("count", [5, 8])
def test_orders_are_uniform(count):
    """Chi-square over (place, sample); 99.99 % of the distribution is below the limit."""
    rounds = 4_000
    stream = some_stream(1)
    seen = np.zeros((count, count))
    for _ in range(rounds):
        seen[np.arange(count), stream.permutation(count)] += 1
    chi_square = ((seen - rounds / count) ** 2 / (rounds / count)).sum()
    freedom = (count - 1) ** 2
    assert abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


def test_all_orders_of_three_are_equally_likely():
    stream, rounds = some_stream(2), 6_000
    _, seen = np.unique([stream.permutation(3) for _ in range(rounds)], axis=0, return_counts=True)
    assert len(seen) == 6
    assert ((seen - rounds / 6) ** 2 / (rounds / 6)).sum() < 30  # 5 degrees of freedom


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 1_000])
def test_integers_are_uniform(limit):
    stream, rounds = some_stream(3), max(4_000, 10 * limit)
    drawn = [stream.integer(limit) for _ in range(rounds)]
    seen = np.bincount(drawn, minlength=limit)
    assert len(seen) == limit
    freedom = limit - 1
    chi_square = ((seen - rounds / limit) ** 2 / (rounds / limit)).sum()
    assert abs(chi_square - freedom) <= 5 * (2 * freedom) ** 0.5


def test_uniform_numbers_lie_in_0_to_1_and_are_exact_in_float32():
    numbers = some_stream(4).uniform(100_000)
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() < 1e-3
    assert 1 - 1e-3 < numbers.max() < 1
    assert np.array_equal(numbers * 2**24, np.floor(numbers * 2**24))
    assert numbers.mean(dtype=float) == pytest.approx(0.5, abs=4 * (1 / 12 / 100_000) ** 0.5)


@pytest.mark.parametrize("count", [99_999, 100_000])
def test_normal_numbers_have_the_moments_of_the_normal_distribution(count):
    numbers = some_stream(5).normal(count)
    assert len(numbers) == count
    assert np.isfinite(numbers).all()
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert (numbers**power).mean() == pytest.approx(moment, abs=4 * (variance / count) ** 0.5)
    assert np.corrcoef(numbers[: count // 2], numbers[-(count // 2) :])[0, 1] == pytest.approx(0, abs=0.02)


def test_fresh_weights_are_distributed_as_pytorch_draws_them():
    torch.manual_seed(0)
    shape = Shape(Architecture((50,)), 400, 40)
    ours = shape.view(shape.initial(streams().stream("init", 1)))
    layers = [torch.nn.Linear(400, 50), torch.nn.Linear(50, 40)]
    parts = [(w, b, layer) for w, b, layer in zip(ours.weights, ours.biases, layers, strict=True)]
    for weight, bias, layer in parts:
        bound = layer.in_features**-0.5
        for mine, theirs in ((weight, layer.weight), (bias, layer.bias)):
            assert mine.shape == theirs.shape
            assert np.abs(mine).max() <= bound * (1 + 1e-6)
            # Both are uniform in the same bounds: the same standard deviation, bound / sqrt(3).
            error = 4 * bound / 3**0.5 / mine.size**0.5
            assert mine.std() == pytest.approx(bound / 3**0.5, abs=error)
            assert float(theirs.detach().std()) == pytest.approx(bound / 3**0.5, abs=error)
            assert mine.mean() == pytest.approx(0, abs=error)


def test_architectures_of_one_trial_share_their_batches_and_nothing_else():
    one, other = streams(), streams(architecture=OTHER)
    assert np.array_equal(one.order(3, 500), other.order(3, 500))
    assert one.dropout_key(3) != other.dropout_key(3)
    for purpose in PURPOSES:
        equal = np.array_equal(one.stream(purpose, 3).bits(4), other.stream(purpose, 3).bits(4))
        assert equal == (purpose == "order")


@given(
    st.tuples(
        st.integers(0, 2**63 - 1), st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from(PURPOSES)
    ),
    st.tuples(
        st.integers(0, 2**63 - 1), st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from(PURPOSES)
    ),
)
def test_two_streams_are_equal_only_if_their_names_are(one, other):
    def bits(name):
        seed, trial, loop, purpose = name
        return streams(seed, trial).stream(purpose, loop).bits(3).tolist()

    assert (bits(one) == bits(other)) == (one == other)
    assert bits(one) == bits(one)


def test_an_unknown_purpose_is_a_mistake():
    with pytest.raises(ValueError, match="purpose"):
        streams().stream("lunch", 1)


def test_the_draws_are_the_ones_that_records_were_made_with():
    """Golden values: whoever changes them makes every trial that was ever run impossible to repeat."""
    of_trial = Streams(7, 3, Architecture.parse("[4*4, 2*8]"))
    assert of_trial.stream("init", 1).bits(2).tolist() == GOLDEN["init"]
    assert of_trial.order(2, 10).tolist() == GOLDEN["order"]
    assert of_trial.dropout_key(5) == GOLDEN["dropout_key"]
    assert of_trial.stream("ablation", 9).integer(24) == GOLDEN["ablation"]
    assert of_trial.stream("noise", 4).normal(3) == pytest.approx(GOLDEN["noise"], rel=1e-12)
    assert of_trial.stream("init", 1).uniform(3).tolist() == GOLDEN["uniform"]
