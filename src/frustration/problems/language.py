"""LoRA on a causal language model, with dendrites on its adapters: small and without a download, or your own.

train --problem language:Adapter --ablation-mode plain hidden dendrites --trials 2 --until 20 --lr 1e-2
train --problem language:Adapter --set model=FOLDER text=my.txt rank=8 --loop-steps 200 --lr 3e-4

The base is frozen. It exists once, all trials share it, and it is in no checkpoint.
"""

from __future__ import annotations

import copy
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import frustration
from frustration.engine.module.dendritic import dendrites_of
from frustration.engine.module.probe import seeded
from frustration.files import expanded, read_file
from frustration.problems.pretrained import pretrained
from frustration.references import ProblemError

CAUSAL = "AutoModelForCausalLM"
NO_TARGET = -100
WORDS, LENGTH = 16, 8
SHARES = (0.8, 0.1, 0.1)
"""Of a text: to train, validate and test with, in this order."""


class Adapter(frustration.Problem):
    """Adapters on a frozen causal language model; judged by the share of right next tokens, in percent."""

    model: str = ""
    """A pretrained one: a folder, or a name on the hub. Without it, a small Llama that knows another task."""
    text: str = ""
    """A text file to adapt to; without it, sequences whose last word is their first."""
    rank: int = 4
    alpha: int = 8
    targets: str = "q_proj,v_proj"
    """Names of the layers that get an adapter."""
    layers: str = "lora_B"
    """Where dendrites grow: on lora_B, or "whole": on the layer with its adapter, as published."""
    samples: int = 500
    """Made-up sequences to train with."""
    tokens: int = 64
    """Of a piece of the text."""

    def build(self) -> nn.Module:
        from peft import LoraConfig, get_peft_model

        base = pretrained(self.model, CAUSAL) if self.model else _made_base()
        targets = [name.strip() for name in self.targets.split(",")]
        config = LoraConfig(r=self.rank, lora_alpha=self.alpha, target_modules=targets)
        network: nn.Module = get_peft_model(copy.deepcopy(base), config)
        return network

    def data(self) -> frustration.Parts:
        if not self.text:
            return frustration.Parts(_copying(self.samples, 10), _copying(200, 11), _copying(400, 12))
        pieces = self._pieces()
        first, second = (round(share * len(pieces)) for share in (SHARES[0], SHARES[0] + SHARES[1]))
        if not 0 < first < second < len(pieces):
            raise ProblemError(
                f"{self.text} has {len(pieces)} pieces of {self.tokens} tokens: too few to split"
            )
        return frustration.Parts(pieces[:first], pieces[first:second], pieces[second:])

    def digest(self) -> str:
        """Of the data, and of the frozen base."""
        whole = hashlib.sha256()
        parts = self.data()
        for part in (parts.train, parts.validation, parts.test):
            whole.update(part.numpy().tobytes())
        base = pretrained(self.model, CAUSAL) if self.model else None
        for name, tensor in (base.state_dict() if base is not None else {}).items():
            whole.update(name.encode())
            whole.update(tensor.contiguous().view(torch.uint8).numpy().data)
        return whole.hexdigest()

    def loss(self, network: nn.Module, batch: Tensor) -> Tensor:
        logits, targets = self._said(network, batch)
        return functional.cross_entropy(logits, targets, ignore_index=NO_TARGET)

    def score(self, network: nn.Module, batches: Iterable[Tensor]) -> float:
        right = total = 0
        for batch in batches:
            logits, targets = self._said(network, batch)
            asked = targets != NO_TARGET
            right += int((logits.argmax(-1) == targets)[asked].sum())
            total += int(asked.sum())
        return 100 * right / total

    def growable(self, network: nn.Module) -> list[str]:
        if self.layers not in ("lora_B", "whole"):
            raise ProblemError(f'language: layers is "lora_B" or "whole", not "{self.layers}"')
        own = [name for name, _ in network.named_modules()]
        if self.layers == "whole":
            return [name.removesuffix(".lora_B") for name in own if name.endswith(".lora_B")]
        return [name for name in own if name.rpartition(".")[0].endswith(".lora_B")]

    def copies_frozen(self) -> bool:
        return self.layers == "whole"

    def _said(self, network: nn.Module, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(logits [tokens, words], the token that follows each), those that are not asked for NO_TARGET."""
        logits: Tensor = network(input_ids=tokens).logits[:, :-1]
        targets = tokens[:, 1:].clone()
        if not self.text:
            targets[:, :-1] = NO_TARGET
        return logits.flatten(0, 1), targets.flatten()

    def _pieces(self) -> Tensor:
        """[pieces, tokens] of the text."""
        if not self.model:
            raise ProblemError("language: a text needs a model, whose tokenizer reads it")
        path = expanded(Path(self.text))
        try:
            content = read_file(path).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProblemError(f"cannot read the text {path}: {error}") from None
        numbers = pretrained(self.model, "AutoTokenizer")(content)["input_ids"]
        count = len(numbers) // self.tokens
        return torch.tensor(numbers[: count * self.tokens]).view(count, self.tokens)


def merge(network: Any) -> nn.Module:
    """The base with its adapters added to its weights. A grown adapter cannot be, and is refused."""
    if dendrites_of(network):
        raise ProblemError(
            "an adapter with dendrites cannot be merged into its base: what a dendrite adds is not linear; "
            "keep the adapter beside the base"
        )
    merged: nn.Module = network.merge_and_unload()
    return merged


def _copying(count: int, seed: int) -> Tensor:
    """Sequences whose last word is their first."""
    words = torch.randint(1, WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    words[:, -1] = words[:, 0]
    return words


@functools.cache
def _made_base() -> nn.Module:
    """A Llama of 12,000 parameters that knows how the last word follows from the one before it."""
    from transformers import LlamaConfig, LlamaForCausalLM

    fields: dict[str, Any] = {
        "vocab_size": WORDS,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    with seeded(0):
        network: Any = LlamaForCausalLM(LlamaConfig(**fields))
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        words = _copying(800, 1)
        words[:, -1] = words[:, -2] % (WORDS - 1) + 1
        for batch in torch.randperm(len(words)).split(32):
            optimizer.zero_grad()
            logits = network(input_ids=words[batch]).logits[:, -2]
            functional.cross_entropy(logits, words[batch][:, -1]).backward()
            optimizer.step()
    base: nn.Module = network
    return base
