"""What would go wrong in silence where networks grow is cured, or refused in a sentence."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from frustration.engine.module.dendritic import Dendritic
from frustration.errors import InputError
from frustration.loops import Growth, Ratchet, load_grown

EVERY = {"switch_mode": "every", "max_dendrites": 2}


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad()
    functional.cross_entropy(network(x), x[:, :3].argmax(1)).backward()
    optimizer.step()


def test_an_optimizer_that_holds_only_the_old_parameters_is_refused_at_the_next_score():
    network = mlp()
    growth, optimizer = Growth(network, **EVERY), torch.optim.SGD(network.parameters(), lr=0.1)
    step(network, optimizer)
    assert growth.add_score(0.1).grown
    step(network, optimizer)
    with pytest.raises(InputError, match="trains none of what is new"):
        growth.add_score(0.2)


def test_a_new_optimizer_after_growth_is_right_and_so_is_no_training_at_all():
    network = mlp()
    growth = Growth(network, **EVERY)
    for score in (0.1, 0.2, 0.3):
        step(network, torch.optim.SGD(network.parameters(), lr=0.1))
        growth.add_score(score)
    untouched = Growth(mlp(), **EVERY)
    for score in (0.1, 0.2, 0.3):
        untouched.add_score(score)
    assert growth.dendrites == untouched.dendrites == {"0": 2, "2": 2}


def grown() -> nn.Sequential:
    network = mlp()
    growth = Growth(network, **EVERY)
    for score in (0.1, 0.2):
        growth.add_score(score)
    return network


@pytest.mark.parametrize("strict", [True, False])
def test_a_grown_checkpoint_never_loads_into_a_network_that_has_not_grown(strict):
    with pytest.raises(RuntimeError, match=r"size mismatch for 0\.weight"):
        mlp().load_state_dict(grown().state_dict(), strict=strict)


def test_it_loads_into_a_copy_and_into_a_network_that_grows():
    network, x = grown(), torch.randn(5, 4)
    again = copy.deepcopy(network)
    again.load_state_dict(network.state_dict())
    fresh = mlp()
    load_grown(fresh, network.state_dict())
    assert torch.equal(network(x), again(x))
    assert torch.equal(network(x), fresh(x))


def test_transformers_refuses_a_grown_checkpoint_and_load_grown_reads_it(tmp_path):
    transformers = pytest.importorskip("transformers", reason="an extra of this package")
    from safetensors.torch import load_file

    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12
    )
    torch.manual_seed(0)
    network = transformers.BertForSequenceClassification(config).eval()
    growth = Growth(network, layers=["classifier", "bert.encoder.layer.0.output.dense"], **EVERY)
    growth.add_score(0.1)
    network.save_pretrained(tmp_path)
    with pytest.raises(RuntimeError, match=r"size mismatch|mismatched"):
        transformers.BertForSequenceClassification.from_pretrained(tmp_path)
    again = transformers.BertForSequenceClassification(config).eval()
    load_grown(again, load_file(tmp_path / "model.safetensors"))
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(network(tokens).logits, again(tokens).logits)


def test_an_average_of_weights_made_before_growth_fails_loudly_and_one_made_after_works():
    network = mlp()
    before = torch.optim.swa_utils.AveragedModel(network)
    growth = Growth(network, **EVERY)
    before.update_parameters(network)
    growth.add_score(0.1)
    with pytest.raises((RuntimeError, ValueError)):
        before.update_parameters(network)
    after = torch.optim.swa_utils.AveragedModel(network)
    after.update_parameters(network)
    x = torch.randn(5, 4)
    assert torch.equal(after(x), network(x))


def test_a_tied_output_layer_is_not_wrapped_so_that_checkpoints_can_be_written():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.inner = nn.Embedding(9, 4), nn.Linear(4, 4)
            self.lm_head = nn.Linear(4, 9, bias=False)
            self.lm_head.weight = self.embed.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.lm_head(torch.relu(self.inner(self.embed(tokens))))

    network = Tied()
    growth = Growth(network, **EVERY)
    growth.add_score(0.1)
    assert growth.dendrites == {"inner": 1}
    assert network.lm_head.weight is network.embed.weight


def test_an_encoder_layer_of_pytorch_hears_its_dendrites_in_evaluation():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True).eval()
    x = torch.randn(2, 3, 8)
    plain = layer(x)
    layer.linear1 = Dendritic(layer.linear1, 1, -1)
    with torch.no_grad():
        for parameter in layer.linear1.parameters():
            parameter.normal_()
        assert not torch.allclose(layer(x), plain)
        slow = layer.train()(x)
        assert torch.allclose(layer.eval()(x), slow, atol=1e-6)


def losses_with(mode: str, compiled) -> list[float]:
    """Of three loops of a loop of one's own."""
    torch.manual_seed(0)
    network = compiled(nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 3)))
    x = torch.randn(64, 6)
    y = x[:, :3].argmax(1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    ratchet = Ratchet(network, mode=mode)
    ratchet.set_optimizer(optimizer)
    losses = []
    for loop in range(3):
        for start in range(0, 64, 16):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network.train()(x[start : start + 16]), y[start : start + 16])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        ratchet.add_score(float(loop))
    return losses


def compiled_in_place(network: nn.Module) -> nn.Module:
    network.compile(backend="eager")
    return network


@pytest.mark.parametrize("mode", ["hidden", "dropout:p=0.5"])
def test_a_compiled_network_is_treated_as_one_that_is_not(mode):
    """Hooks that come after compilation are ignored by it, so dropout would say that it acted and not act."""
    plain = losses_with(mode, lambda network: network)
    assert losses_with(mode, lambda network: torch.compile(network, backend="eager")) == plain
    if mode == "hidden":
        assert losses_with(mode, compiled_in_place) == plain
    else:
        with pytest.raises(InputError, match="compiled in place"):
            losses_with(mode, compiled_in_place)
