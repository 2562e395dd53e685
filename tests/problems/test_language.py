"""LoRA on a causal language model: a frozen base for all trials, ablated ranks and rows, grown adapters."""

import dataclasses
import pydoc_data.topics
import shutil
import threading

import numpy as np
import pytest
import safetensors.torch
import torch

from frustration import TrialSpec
from frustration.engine.group import plan
from frustration.engine.loop import train_group
from frustration.engine.module.data import data_of
from frustration.engine.module.population import ModuleBackend
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.problems.language import Adapter, merge

TINY = Adapter(samples=64)
WHOLE = dataclasses.replace(TINY, layers="whole")
GROWS = "dendrites:switch_mode=fixed:fixed_switch_num=3:max_dendrites=1"


def trained(problem, mode: str, loops: int = 3) -> Trial:
    reference = problem.reference()
    spec = TrialSpec.of(
        reference,
        mode,
        dataset=reference.dataset,
        meta_loops=loops,
        learning_rate=1e-2,
        batch_size=32,
    )
    trial = Trial.fresh(spec, spec.shape(0, 0))
    for group in plan([trial], ModuleBackend(reference)):
        train_group(group, ModuleBackend(reference), data_of(reference), lambda *_: None, threading.Event())
    return trial


def test_only_the_adapter_is_trained_and_kept_and_all_trials_share_the_base():
    shape = TINY.shape()
    assert all("lora_" in name for name in shape.layout.trained)
    assert set(shape.names) - set(shape.layout.trained) == set(shape.layout.buffers)  # a table of rotations
    one, other = shape.module(), shape.module()
    for name, parameter in one.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(parameter, other.get_parameter(name))
    assert sum(p.numel() for p in one.parameters()) > 10 * shape.parameters


def test_hidden_takes_ranks_and_full_takes_rows_of_the_adapter():
    ranks = TINY.shape().layout.units.hidden
    assert ranks
    assert all(name.endswith("lora_A.default") for name in ranks)
    assert {len(units) for units in ranks.values()} == {TINY.rank}
    rows = TINY.shape().layout.units.all
    assert any(name.endswith("lora_B.default") for name in rows)
    for mode in ("hidden", "full"):
        taken = [entry.evidence[mode]["units"] for entry in trained(TINY, mode).curve[1:]]
        assert all(taken)


def test_on_lora_b_a_dendrite_costs_a_fraction_of_one_on_the_whole_layer():
    sizes = {}
    for problem in (TINY, WHOLE):
        shape = problem.shape()
        grown = shape.with_dendrites((1,) * len(shape.dendrites))
        everything = sum(p.numel() for p in grown.module().parameters())
        sizes[problem.layers] = grown.parameters - shape.parameters, everything
    assert sizes["lora_B"][0] < sizes["whole"][0]
    assert sizes["lora_B"][1] < sizes["whole"][1]


def test_a_dendrite_on_the_whole_layer_has_frozen_weights_of_its_own_that_training_leaves_alone():
    trial = trained(WHOLE, GROWS, loops=5)
    network = trial.base
    assert network.shape.grown
    frozen = [n for n in network.shape.names if ".dendrites.0.base_layer" in n]
    assert frozen
    state = network.to_state()
    assert all(np.any(state[name]) for name in frozen)
    again = trained(WHOLE, GROWS, loops=3).base.to_state()
    learnt = [n for n in state if ".dendrites.0.lora_" in n]
    for name in frozen:
        assert np.array_equal(state[name], again[name])
    assert any(not np.array_equal(state[name], again[name]) for name in learnt)


def test_damage_finds_a_rank_inside_a_layer_that_has_grown():
    shape = WHOLE.shape()
    grown = shape.with_dendrites((1,) * len(shape.dendrites))
    network = grown.view(np.ones(grown.size, np.float32))
    layer, units = grown.eligible("hidden")[0]
    assert network.incoming(layer, units[0])
    assert network.outgoing(layer, units[0])


def test_an_adapter_is_merged_and_a_grown_one_is_refused_in_a_sentence():
    words = TINY.data().validation[:5]
    shape = TINY.shape()
    network = shape.module().eval()
    shape.load(network, np.full(shape.size, 0.1, np.float32))
    with torch.no_grad():
        before = network(input_ids=words).logits
        after = merge(network)(input_ids=words).logits
    assert torch.allclose(before, after, atol=1e-4)
    with pytest.raises(InputError, match="cannot be merged into its base"):
        merge(shape.with_dendrites((1,) * len(shape.dendrites)).module())


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A model and its tokenizer in a folder, trained on pages of Python's help; other pages are the text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pages = [text for _, text in sorted(pydoc_data.topics.topics.items())][:20]
    known, other = "\n".join(pages[:16]), "\n".join(pages[16:])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=letters, show_progress=False)
    tokenizer.train_from_iterator([known], trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    assert wrapped.decode(wrapped(other)["input_ids"]) == other
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(wrapped),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=32,
        )
    )
    tokens = wrapped(known)["input_ids"]
    pieces = torch.tensor(tokens[: len(tokens) // 32 * 32]).view(-1, 32)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(3):
        for batch in torch.randperm(len(pieces)).split(16):
            optimizer.zero_grad()
            network(input_ids=pieces[batch], labels=pieces[batch]).loss.backward()
            optimizer.step()
    folder = tmp_path_factory.mktemp("own")
    network.save_pretrained(folder / "model")
    wrapped.save_pretrained(folder / "model")
    (folder / "other.txt").write_text(other, "utf-8")
    return folder


def adapter(own, **fields) -> Adapter:
    return Adapter(model=str(own / "model"), text=str(own / "other.txt"), tokens=32, **fields)


def test_a_text_is_cut_into_pieces_in_its_order(own):
    from transformers import AutoTokenizer

    parts = adapter(own).data()
    pieces = torch.cat([parts.train, parts.validation, parts.test])
    assert pieces.shape[1] == 32
    assert [round(len(part) / len(pieces), 1) for part in (parts.train, parts.validation)] == [0.8, 0.1]
    text = (own / "other.txt").read_text("utf-8")
    said = AutoTokenizer.from_pretrained(own / "model").decode(pieces.flatten())
    assert text.startswith(said)
    assert len(said) > 0.99 * len(text)


@pytest.mark.parametrize("layers", ["lora_B", "whole"])
def test_adapters_of_a_model_in_a_folder_learn_a_text_and_grow(own, layers):
    problem = adapter(own, layers=layers, targets="q_proj,v_proj,lm_head")
    trial = trained(problem, GROWS, loops=4)
    assert trial.base.shape.grown
    assert trial.curve[-1].loss < trial.curve[0].loss - 0.1
    assert any(entry.evidence["hidden"]["units"] for entry in trained(problem, "hidden", 2).curve[1:])


def test_another_text_and_another_model_are_other_trials(own, tmp_path):
    before = adapter(own).digest()
    (tmp_path / "other.txt").write_text((own / "other.txt").read_text("utf-8")[200:], "utf-8")
    assert dataclasses.replace(adapter(own), text=str(tmp_path / "other.txt")).digest() != before
    changed = tmp_path / "model"
    shutil.copytree(own / "model", changed)
    weights = safetensors.torch.load_file(changed / "model.safetensors")
    weights["lm_head.weight"][0, 0] += 1
    safetensors.torch.save_file(weights, changed / "model.safetensors", {"format": "pt"})
    assert dataclasses.replace(adapter(own), model=str(changed)).digest() != before


def test_a_text_too_short_to_split_is_told_in_a_sentence(own, tmp_path):
    (tmp_path / "short.txt").write_text("a b c")
    with pytest.raises(InputError, match="too few to split"):
        dataclasses.replace(adapter(own), text=str(tmp_path / "short.txt")).data()
    with pytest.raises(InputError, match="cannot read the text"):
        dataclasses.replace(adapter(own), text=str(tmp_path / "none.txt")).data()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": "lora_A"}, 'layers is "lora_B" or "whole"'),
        ({"text": "x.txt"}, "a text needs a model"),
    ],
)
def test_what_it_cannot_mean_is_one_sentence(fields, message):
    problem = Adapter(**fields)
    with pytest.raises(InputError, match=message):
        problem.data() if "text" in fields else problem.growable(torch.nn.Linear(1, 1))
