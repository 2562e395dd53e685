"""Dendrites in a loop that somebody else wrote."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn import functional

from frustration.dendrites import Schedule, Settings
from frustration.errors import InputError
from frustration.loops import Growth, Outcome, load_grown

QUICK = {"n_epochs_to_switch": 2, "max_dendrites": 2}
SCORES = [0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.5, 0.5, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]


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


def batch(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(count, 1, 8, 8), torch.randint(0, 3, (count,))


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x, y = batch()
    optimizer.zero_grad()
    functional.cross_entropy(network(x), y).backward()
    optimizer.step()


def held(optimizer: torch.optim.Optimizer) -> list[int]:
    return sorted(id(p) for group in optimizer.param_groups for p in group["params"])


def trained(network: nn.Module) -> list[int]:
    return sorted(id(p) for p in network.parameters() if p.requires_grad)


def events(growth: Growth, scores: list[float] = SCORES) -> list[str]:
    said = []
    for score in scores:
        outcome = growth.add_score(score)
        said.append("done" if outcome.complete else "grown" if outcome.grown else "train")
        if outcome.complete:
            break
    return said


def test_the_same_scores_give_the_same_growth_as_the_schedule_of_our_own_loop():
    schedule, expected = Schedule(Settings(**QUICK)), []
    for score in SCORES:
        expected.append({"train": "train", "grow": "grown", "end": "done"}[schedule.observe(score).action])
        if schedule.ended:
            break
    assert events(Growth(cnn(), **QUICK)) == expected
    assert {"grown", "done"} <= set(expected)


def test_after_growth_the_optimizer_holds_every_parameter_and_starts_anew():
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    growth = Growth(network, **QUICK)
    growth.set_optimizer(optimizer, scheduler)
    grown = 0
    for score in SCORES:
        step(network, optimizer)
        scheduler.step()
        outcome = growth.add_score(score)
        if outcome.grown:
            grown += 1
            assert held(optimizer) == trained(network)
            assert not optimizer.state
            assert [group["lr"] for group in optimizer.param_groups] == [0.1]
        if outcome.complete:
            break
    assert grown == 3  # twice larger, and back to the best at the end
    assert growth.dendrites == {"0": 2, "5": 2, "7": 2}
    step(network, optimizer)


def test_new_parameters_join_the_group_of_the_weights_that_they_belong_to():
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    biases = [p for n, p in network.named_parameters() if n.endswith("bias")]
    weights = [p for n, p in network.named_parameters() if n.endswith("weight")]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.3}, {"params": biases, "weight_decay": 0.0}]
    )
    growth = Growth(network, switch_mode="every", max_dendrites=2)
    growth.set_optimizer(optimizer)
    for score in (0.1, 0.2, 0.3):
        growth.add_score(score)
    assert growth.dendrites == {"0": 2, "2": 2}
    names = {id(p): name for name, p in network.named_parameters()}
    first, second = ([names[id(p)] for p in group["params"]] for group in optimizer.param_groups)
    assert all(name.endswith(("weight", "tops", "links")) for name in first)
    assert all(name.endswith("bias") for name in second)
    assert len(first) + len(second) == len(names)


def test_mixed_precision_and_accumulated_gradients_go_on_across_growth():
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu")
    growth = Growth(network, **QUICK)
    growth.set_optimizer(optimizer)
    grown = 0
    for score in SCORES[:12]:
        optimizer.zero_grad()
        for _ in range(2):
            x, y = batch(6)
            with torch.autocast("cpu", torch.bfloat16):
                loss = functional.cross_entropy(network(x), y) / 2
            scaler.scale(loss).backward()
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        scaler.step(optimizer)
        scaler.update()
        assert any(not torch.equal(before[name], p) for name, p in network.named_parameters())
        grown += growth.add_score(score).grown
    assert grown >= 2
    assert any(
        not torch.equal(before[name], p) for name, p in network.named_parameters() if "dendrites" in name
    )


def test_a_controller_may_reject_a_dendrite_and_training_continues():
    asked = []

    def never(proposal):
        asked.append(proposal)
        return False

    growth = Growth(cnn(), controller=never, **QUICK)
    assert set(events(growth)) == {"train"}
    assert set(growth.dendrites.values()) == {0}
    assert [one.epoch for one in asked] == [5, 9, 13, 15, 17]  # patience starts anew each time
    assert asked[0].scores == tuple(SCORES[:5])
    late = Growth(cnn(), controller=lambda proposal: proposal.epoch > 6, **QUICK)
    assert events(late).index("grown") == 8


def test_extra_scores_are_kept_and_decide_nothing():
    growth, plain = Growth(cnn(), **QUICK), Growth(cnn(), **QUICK)
    for score in SCORES[:6]:
        assert growth.add_score(score, test=1.0 - score, loss=3.0).why == plain.add_score(score).why
    assert growth.extra[0] == {"test": 0.9, "loss": 3.0}


def test_where_lower_is_better_growth_waits_for_a_score_that_stops_falling():
    growth = Growth(cnn(), maximize=False, **QUICK)
    falling = [growth.add_score(1.0 - 0.1 * n) for n in range(6)]
    assert not any(outcome.grown for outcome in falling)
    assert falling[-1] == Outcome(score=0.5, best=0.5, improved=True, why=falling[-1].why)
    assert not growth.add_score(0.9).improved


def test_at_the_end_the_network_is_the_best_one_to_the_bit():
    network = cnn()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    growth = Growth(network, n_epochs_to_switch=2, max_dendrites=1, max_dendrite_tries=1)
    growth.set_optimizer(optimizer)
    best = None
    for score in [0.1, 0.2, 0.3, 0.3, 0.3, *[0.2] * 9]:
        step(network, optimizer)
        outcome = growth.add_score(score)
        if score == 0.3 and best is None:
            best = copy.deepcopy(network.state_dict())
        if outcome.complete:
            break
    assert outcome.complete
    assert network.state_dict().keys() == best.keys()
    assert all(torch.equal(network.state_dict()[name], value) for name, value in best.items())


def test_a_run_that_was_saved_and_loaded_ends_in_the_same_bits():
    def run(scores, parts=None):
        network = cnn()
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
        growth = Growth(network, seed=7, **QUICK)
        growth.set_optimizer(optimizer)
        if parts:
            growth.load_state_dict(parts["growth"])
            network.load_state_dict(parts["network"])
            optimizer.load_state_dict(parts["optimizer"])
        for number, score in scores:
            torch.manual_seed(number)
            step(network, optimizer)
            growth.add_score(score)
        return {
            "growth": growth.state_dict(),
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
        }

    numbered = list(enumerate(SCORES[:12]))
    whole = run(numbered)
    torch.manual_seed(0)
    for cut in (3, 5, 6, 9):
        torch.manual_seed(0)
        file = io.BytesIO()
        torch.save(run(numbered[:cut]), file)
        file.seek(0)
        resumed = run(numbered[cut:], torch.load(file, weights_only=True))
        assert resumed["network"].keys() == whole["network"].keys()
        assert all(torch.equal(resumed["network"][n], v) for n, v in whole["network"].items())
        assert resumed["growth"]["schedule"] == whole["growth"]["schedule"]


def test_a_grown_state_dict_loads_into_a_network_that_has_not_grown():
    network = cnn()
    growth = Growth(network, switch_mode="every", max_dendrites=2)
    for score in (0.1, 0.2):
        growth.add_score(score)
    fresh = cnn()
    load_grown(fresh, network.state_dict())
    x, _ = batch()
    assert torch.equal(network.eval()(x), fresh.eval()(x))
    load_grown(network, cnn().state_dict())  # and back
    assert set(growth.dendrites.values()) == {0}


def test_layers_whose_dendrites_nobody_would_hear_are_left_out():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(9, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.frozen = nn.Linear(8, 8).requires_grad_(False)
            self.free = nn.Linear(8, 8)
            self.tied = nn.Linear(8, 9, bias=False)
            self.tied.weight = self.embedding.weight

    assert Growth(Model()).dendrites == {"free": 0}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["1x"], "no layer"),
        (["1"], "BatchNorm2d"),
        (["2"], "ReLU"),
    ],
)
def test_a_layer_that_cannot_grow_is_refused_in_a_sentence(layers, message):
    with pytest.raises(InputError, match=message):
        Growth(cnn(), layers=layers)


def test_an_optimizer_of_another_network_is_refused():
    growth = Growth(cnn())
    with pytest.raises(InputError, match="no parameter of the network"):
        growth.set_optimizer(torch.optim.SGD(cnn().parameters(), lr=0.1))
