"""Damage and the ratchet in a loop that somebody else wrote."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from frustration.engine.module.units import Units
from frustration.errors import InputError
from frustration.loops import Growth, Ratchet
from frustration.modes import ModeError


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )


X = torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(5))
Y = torch.randint(0, 3, (24,), generator=torch.Generator().manual_seed(6))


def step(network, optimizer) -> None:
    network.train()
    optimizer.zero_grad()
    functional.cross_entropy(network(X), Y).backward()
    optimizer.step()


def states(network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def run(mode: str, scores, optimizer=None, **settings):
    torch.manual_seed(0)
    network = cnn()
    adam = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.0)
    ratchet = Ratchet(network, mode=mode, **settings)
    ratchet.set_optimizer(adam)
    after = []
    for number, score in enumerate(scores):
        torch.manual_seed(number)
        step(network, adam)
        ratchet.add_score(score)
        after.append(states(network))
    return network, ratchet, after


def test_a_loop_that_did_not_improve_is_rolled_back_to_the_bit_batchnorm_included():
    _, ratchet, after = run("hidden", [0.3, 0.2, 0.1, 0.4, 0.4])
    assert ratchet.accepted == [True, False, False, True, False]
    assert same(after[0], after[1])
    assert same(after[0], after[2])
    assert not same(after[0], after[3])
    assert same(after[3], after[4])
    assert ratchet.best == 0.4


def test_the_network_is_undamaged_between_loops_and_the_lkg_can_be_restored():
    network, ratchet, after = run("hidden", [0.3, 0.2])
    assert same(after[1], dict(ratchet.lkg))
    step(network, torch.optim.SGD(network.parameters(), lr=0.1))
    assert not same(states(network), dict(ratchet.lkg))
    ratchet.restore()
    assert same(states(network), dict(ratchet.lkg))


def test_the_damage_falls_at_the_first_training_step_and_is_what_the_evidence_says():
    network, ratchet, _ = run("hidden", [0.3])
    before = states(network)
    network.eval()
    network(X)
    assert same(before, states(network))  # looking at it is no training step
    network.train()
    network(X)
    assert ratchet.intervene is not None
    ratchet.add_score(0.1)
    (layer, unit), *_ = ratchet.evidence[-1]["hidden"]["units"]
    damaged = cnn()
    damaged.load_state_dict(before)
    units = Units(damaged, lambda: damaged(X))
    assert units.take(layer, unit, outgoing=True) == pytest.approx(ratchet.evidence[-1]["hidden"]["removed"])
    assert ratchet.evidence[0] == {}  # loop 1 is undamaged


def test_one_seed_takes_the_same_units_and_another_takes_others():
    def taken(seed):
        _, ratchet, _ = run("hidden", [0.1] * 6, seed=seed)
        return [entry["hidden"]["units"] for entry in ratchet.evidence[1:]]

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)


@pytest.mark.parametrize(
    "mode", ["full", "hidden", "output", "noise", "hidden:dose=0.5", "hidden:selector=lowest-utility"]
)
def test_every_damaging_mode_acts(mode):
    _, ratchet, _ = run(mode, [0.3, 0.2])
    (done,) = ratchet.evidence[1].values()
    assert done.get("removed", done.get("norm", 0)) > 0


def test_dose_0_is_none_to_the_bit():
    scores = [0.1, 0.3, 0.2, 0.4]
    assert all(map(same, run("none", scores)[2], run("hidden:dose=0", scores)[2]))


def test_without_the_ratchet_training_continues_and_the_best_is_kept():
    network, ratchet, after = run("plain", [0.3, 0.2, 0.1])
    assert ratchet.accepted == [True, True, True]
    assert not same(after[0], after[1])
    ratchet.restore()
    assert same(states(network), after[0])


def test_dropout_acts_in_training_only_and_leaves_no_hook_behind():
    network, ratchet, _ = run("dropout:p=0.5", [0.3])
    network.train()
    network(X)
    hooks = sum(len(m._forward_pre_hooks) for m in network.modules())
    assert not torch.equal(network(X), network(X))
    network.eval()
    assert torch.equal(network(X), network(X))
    ratchet.add_score(0.1)
    assert sum(len(m._forward_pre_hooks) for m in network.modules()) < hooks


def test_decay_sets_the_optimizers_weight_decay_and_gives_it_back():
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2, weight_decay=0.02)
    ratchet = Ratchet(network, mode="decay:weight_decay=0.3@1-1,none@2-")
    ratchet.set_optimizer(optimizer)
    step(network, optimizer)
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    ratchet.add_score(0.1)
    step(network, optimizer)
    assert optimizer.param_groups[0]["weight_decay"] == 0.02


def test_what_the_optimizer_remembers_is_chosen():
    def steps(policy):
        network = cnn()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        ratchet = Ratchet(network, mode="none", optimizer=policy)
        ratchet.set_optimizer(optimizer, scheduler)
        for score in (0.3, 0.1):
            step(network, optimizer)
            scheduler.step()
            ratchet.add_score(score)
        first = next(iter(network.parameters()))
        return int(optimizer.state[first]["step"]) if optimizer.state else 0, optimizer.param_groups[0]["lr"]

    assert steps("fresh") == (0, 0.0025)
    assert steps("persist") == (2, 0.0025)
    assert steps("rollback") == (1, 0.005)


@pytest.mark.parametrize("policy", ["persist", "persist-masked"])
def test_masked_the_optimizer_forgets_the_unit_that_was_taken_and_nothing_else(policy):
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    ratchet = Ratchet(network, mode="hidden:dose=3", optimizer=policy)
    ratchet.set_optimizer(optimizer)
    step(network, optimizer)
    ratchet.add_score(0.1)
    before = {name: optimizer.state[p]["exp_avg"].clone() for name, p in network.named_parameters()}
    network.train()
    network(X)
    ratchet.add_score(0.2)
    taken = [tuple(unit) for unit in ratchet.evidence[-1]["hidden"]["units"]]
    assert len(taken) == 3
    forgot = {
        (name, row)
        for name, p in network.named_parameters()
        if name in ("0.weight", "5.weight")
        for row in range(len(p))
        if before[name][row].any() and not optimizer.state[p]["exp_avg"][row].any()
    }
    expected = {(f"{layer}.weight", unit) for layer, unit in taken if before[f"{layer}.weight"][unit].any()}
    assert forgot == (expected if policy == "persist-masked" else set())


def test_mixed_precision_accumulated_gradients_and_a_scheduler_need_nothing_special():
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    scaler = torch.amp.GradScaler("cpu")
    ratchet = Ratchet(network, mode="hidden:dose=2")
    ratchet.set_optimizer(optimizer, scheduler)
    for score in (0.3, 0.2, 0.4, 0.1):
        network.train()
        optimizer.zero_grad()
        base = states(network)
        for part in (slice(0, 12), slice(12, 24)):
            with torch.autocast("cpu", torch.bfloat16):
                loss = functional.cross_entropy(network(X[part]), Y[part]) / 2
            scaler.scale(loss).backward()
        damaged = states(network)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        assert not same(damaged, states(network))  # the step is taken with the scaler's gradients
        if ratchet.loop:
            assert not same(base, damaged)
        ratchet.add_score(score, test=score / 2)
    assert ratchet.accepted == [True, False, True, False]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 * 0.5**4)  # fresh moments, the same schedule
    taken = [entry["hidden"]["units"] for entry in ratchet.evidence[1:]]
    assert all(len(units) == 2 for units in taken)  # once a loop, not once a batch
    assert ratchet.extra == [{"test": score / 2} for score in (0.3, 0.2, 0.4, 0.1)]


def test_a_network_that_grows_under_the_ratchet_is_refused_in_a_sentence():
    network = cnn()
    ratchet = Ratchet(network)
    growth = Growth(network, switch_mode="every", max_dendrites=1)
    step(network, torch.optim.SGD(network.parameters(), lr=0.1))
    ratchet.add_score(0.1)
    while not growth.add_score(0.1).grown:
        pass
    with pytest.raises(InputError, match=r"in `train`, as dendrites\+hidden"):
        ratchet.add_score(0.2)
    with pytest.raises(InputError, match=r"in `train`, as dendrites\+hidden"):
        network.train()(X)


def test_where_lower_is_better_a_lower_score_is_accepted():
    _, ratchet, _ = run("none", [0.3, 0.4, 0.2], maximize=False)
    assert ratchet.accepted == [True, False, True]


def test_a_score_that_is_no_number_is_discarded():
    _, ratchet, after = run("none", [0.3, float("nan"), float("inf")])
    assert ratchet.accepted == [True, False, False]
    assert same(after[0], after[2])


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("dendrites", "use frustration.loops.Growth"),
        ("wide@1", "another network"),
        ("restart", "build the network again"),
        ("redo", "build the network again"),
        ("cbp", "build the network again"),
        ("hidden/patience-3", "patience is for `train`"),
        ("hiden", "did you mean"),
    ],
)
def test_what_makes_no_sense_in_a_loop_of_ones_own_is_refused(mode, message):
    with pytest.raises((InputError, ModeError), match=message):
        Ratchet(cnn(), mode=mode)


def test_a_network_without_such_units_is_refused_in_a_sentence():
    network = nn.Linear(4, 2)
    Ratchet(network, mode="hidden")
    with pytest.raises(ModeError, match="nothing to act on"):
        network(torch.randn(3, 4))
