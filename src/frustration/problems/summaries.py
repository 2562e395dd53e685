"""Summaries of dialogues by a T5: made up and small without a download, or t5-small on SAMSum.

train --problem summaries:Summaries --ablation-mode plain dendrites --loop-steps 20 --lr 1e-2 --batch-size 16
train --problem summaries:Summaries --set model=t5-small dataset=samsum summary_tokens=64 layers=2 --lr 3e-4
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import frustration
from frustration.problems.dialogues import MADE_UP, Dialogue, dialogues
from frustration.problems.pretrained import pretrained
from frustration.problems.rouge import rouge
from frustration.references import ProblemError

SEQUENCES = "AutoModelForSeq2SeqLM"
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
NO_TARGET = -100
"""A label that the loss leaves out."""
WIDEST = 65_536


class Summaries(frustration.Problem):
    """A T5, fresh or pretrained, on dialogues; judged by ROUGE-L of what it generates."""

    metric: ClassVar[frustration.Metric] = frustration.Metric("ROUGE-L", unit="points", better="higher")

    model: str = ""
    """A pretrained one: a folder, or a name such as t5-small. Without it, a fresh one of this size:"""
    width: int = 32
    feed_forward: int = 64
    layers: int = 0
    """Of encoder and decoder each; 0: all of a pretrained one, or one. Fewer are taken evenly from all."""
    dataset: str = MADE_UP
    """Or a folder with train.json, val.json and test.json in SAMSum's form, or a name such as samsum."""
    dialogues: int = 256
    """Made up to train with; of another data set the first so many at most, 0: all."""
    vocabulary: int = 400
    """Of the tokenizer of a fresh network, which is trained on the training part."""
    text_tokens: int = 256
    summary_tokens: int = 16
    """At most; what is longer is cut."""
    grows: str = "feed-forward"
    """Where dendrites grow: on the feed-forward layers, or "all" but the tied output."""

    def build(self) -> nn.Module:
        from transformers import T5Config, T5ForConditionalGeneration

        if self.model:
            return _shortened(pretrained(self.model, SEQUENCES), self.layers)
        heads = max(1, self.width // 16)
        fields: dict[str, Any] = {
            "vocab_size": len(self.tokenizer),
            "d_model": self.width,
            "d_kv": self.width // heads,
            "d_ff": self.feed_forward,
            "num_layers": self.layers or 1,
            "num_decoder_layers": self.layers or 1,
            "num_heads": heads,
            "decoder_start_token_id": 0,
        }
        return T5ForConditionalGeneration(T5Config(**fields))

    def data(self) -> frustration.Parts:
        parts = {name: self._encoded(part) for name, part in self._texts.items()}
        return frustration.Parts(
            train=parts["train"],
            validation=parts["validation"],
            test=parts["test"] or None,
            collate=functools.partial(_collated, pad=self.tokenizer.pad_token_id),
        )

    def digest(self) -> str:
        """Of the texts, and of the weights that a pretrained network starts from."""
        whole = hashlib.sha256(f"{self.text_tokens} {self.summary_tokens}\n".encode())
        for name, part in self._texts.items():
            whole.update(repr((name, [tuple(one) for one in part])).encode())
        if self.model:
            for name, tensor in pretrained(self.model, SEQUENCES).state_dict().items():
                whole.update(name.encode())
                whole.update(tensor.contiguous().view(torch.uint8).numpy().data)
        return whole.hexdigest()

    def loss(self, network: nn.Module, batch: Any) -> Tensor:
        loss: Tensor = network(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"]
        ).loss
        return loss

    def score(self, network: nn.Module, batches: Iterable[Any]) -> float:
        return self.further_scores(network, batches)["ROUGE-L"]

    def further_scores(self, network: nn.Module, batches: Iterable[Any]) -> dict[str, float]:
        made: list[str] = []
        wanted: list[str] = []
        for batch in batches:
            made += self.tokenizer.batch_decode(self.infer(network, batch), skip_special_tokens=True)
            wanted += batch["summary"]
        return rouge(made, wanted)

    def infer(self, network: Any, batch: Any) -> Tensor:
        """The tokens of the summaries, each the likeliest after those before it."""
        said: Tensor = network.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=self.summary_tokens,
            do_sample=False,
            num_beams=1,
        )
        return said

    def growable(self, network: nn.Module) -> list[str]:
        if self.grows not in ("feed-forward", "all"):
            raise ProblemError(f'summaries: grows is "feed-forward" or "all", not "{self.grows}"')
        linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
        feed_forward = [name for name in linear if "DenseReluDense" in name]
        return feed_forward if self.grows == "feed-forward" else [n for n in linear if n != "lm_head"]

    def widened(self, parameters: int) -> Summaries | None:
        """With wider feed-forward layers; a pretrained network has no wider self."""
        if self.model:
            return None
        own = sum(parameter.numel() for parameter in self.build().parameters())
        a_unit = 4 * (self.layers or 1) * self.width  # one column and one row in every encoder and decoder
        wider = self.feed_forward + round((parameters - own) / a_unit)
        return dataclasses.replace(self, feed_forward=min(max(wider, 1), WIDEST))

    @property
    def tokenizer(self) -> Any:
        if self.model:
            return pretrained(self.model, "AutoTokenizer")
        return _trained_tokenizer(self.dataset, self.dialogues, self.vocabulary)

    @property
    def _texts(self) -> dict[str, list[Dialogue]]:
        return _texts(self.dataset, self.dialogues)

    def _encoded(self, part: list[Dialogue]) -> list[dict[str, Any]]:
        task = "summarize: " if self.model else ""  # what the published T5 were trained with
        return [
            {
                "input_ids": self._tokens(task + one.text, self.text_tokens),
                "labels": self._tokens(one.summary, self.summary_tokens),
                "summary": one.summary,
            }
            for one in part
        ]

    def _tokens(self, text: str, most: int) -> Tensor:
        return torch.tensor(self.tokenizer(text, truncation=True, max_length=most)["input_ids"])


@functools.cache
def _texts(dataset: str, size: int) -> dict[str, list[Dialogue]]:
    found = dialogues(dataset, size)
    return {name: part[: size or None] if dataset != MADE_UP else part for name, part in found.items()}


@functools.cache
def _trained_tokenizer(dataset: str, size: int, vocabulary: int) -> Any:
    """Byte pairs of the training part, with T5's padding and end."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.decoder = decoders.Metaspace()
    special = [PAD, END, UNKNOWN]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator((text for one in _texts(dataset, size)["train"] for text in one), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    wrapped: Any = PreTrainedTokenizerFast
    return wrapped(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=UNKNOWN)


def _shortened(pretrained: nn.Module, layers: int) -> nn.Module:
    """A copy with so many layers in encoder and decoder, taken evenly from all; 0: with all of them."""
    network: Any = copy.deepcopy(pretrained)
    config = network.config
    for stack, counter in ((network.encoder, "num_layers"), (network.decoder, "num_decoder_layers")):
        every = len(stack.block)
        kept = min(layers, every) if layers else every
        chosen = [round(k * (every - 1) / max(kept - 1, 1)) for k in range(kept)]
        stack.block = nn.ModuleList(stack.block[k] for k in chosen)
        for number, block in enumerate(stack.block):  # each keeps its place in the memory of what was said
            for layer in block.layer:
                for attention in ("SelfAttention", "EncDecAttention"):
                    if hasattr(layer, attention):
                        getattr(layer, attention).layer_idx = number
        setattr(config, counter, kept)
        stack.config.num_layers = kept
    shorter: nn.Module = network
    return shorter


def _collated(samples: list[dict[str, Any]], pad: int) -> dict[str, Any]:
    texts = [one["input_ids"] for one in samples]
    return {
        "input_ids": _padded(texts, pad),
        "attention_mask": _padded([torch.ones_like(text) for text in texts], 0),
        "labels": _padded([one["labels"] for one in samples], NO_TARGET),
        "summary": [one["summary"] for one in samples],
    }


def _padded(rows: list[Tensor], value: int) -> Tensor:
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
