"""A small T5 learns to say in one sentence what two people agreed on; a plain PyTorch loop.

Made without a download: the network comes from a configuration, the dialogues from a seeded generator.
"""

import argparse
import random

import torch
from torch import nn
from transformers import T5Config, T5ForConditionalGeneration

NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn"]
PLACES = ["station", "museum", "harbour", "office", "library", "park"]
TIMES = ["noon", "five", "seven", "midnight"]
REST = ["<pad>", "</s>", ":", "shall", "we", "meet", "at", "the", "yes", "where", "will", "and"]
MORE = ["sorry", "not", "come"]
WORDS = {word: number for number, word in enumerate([*REST, *MORE, *NAMES, *PLACES, *TIMES])}
PAD, END, NO_TARGET = 0, 1, -100


def dialogue(draw: random.Random) -> tuple[str, str]:
    """(what was said, what it came to)"""
    a, b = draw.sample(NAMES, 2)
    place, time = draw.choice(PLACES), draw.choice(TIMES)
    if draw.random() < 0.5:
        said = f"{a} : shall we meet at {time} {b} : yes where {a} : the {place}"
        return said, f"{a} and {b} will meet at the {place} at {time}"
    return f"{a} : will we meet at {time} {b} : sorry", f"{b} will not come at {time}"


def rows(texts: list[str], padding: int) -> torch.Tensor:
    numbers = [torch.tensor([*(WORDS[word] for word in text.split()), END]) for text in texts]
    return nn.utils.rnn.pad_sequence(numbers, batch_first=True, padding_value=padding)


def dialogues(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = random.Random(seed)
    said, came_to = zip(*(dialogue(draw) for _ in range(count)), strict=True)
    return rows(list(said), PAD), rows(list(came_to), NO_TARGET)


def loss(network: nn.Module, said: torch.Tensor, came_to: torch.Tensor) -> torch.Tensor:
    return network(input_ids=said, attention_mask=(said != PAD).long(), labels=came_to).loss


def train(network: nn.Module, optimizer: torch.optim.Optimizer, part: tuple[torch.Tensor, ...]) -> None:
    network.train()
    for batch in torch.randperm(len(part[0])).split(32):
        optimizer.zero_grad()
        loss(network, part[0][batch], part[1][batch]).backward()
        optimizer.step()


@torch.no_grad()
def right(network: nn.Module, part: tuple[torch.Tensor, ...]) -> float:
    """The share of words that are generated in their place."""
    network.eval()
    said, came_to = part
    length = came_to.shape[1]
    made = network.generate(
        input_ids=said, attention_mask=(said != PAD).long(), max_new_tokens=length, do_sample=False
    )[:, 1:]
    made = nn.functional.pad(made, (0, length - made.shape[1]))
    return (made == came_to)[came_to != NO_TARGET].float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--samples", type=int, default=512)
    args = parser.parse_args()
    torch.manual_seed(0)
    network = T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(WORDS),
            d_model=24,
            d_kv=12,
            d_ff=32,
            num_layers=1,
            num_decoder_layers=1,
            num_heads=2,
            decoder_start_token_id=PAD,
        )
    )
    part, validation = dialogues(args.samples, 1), dialogues(128, 2)

    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for epoch in range(1, args.epochs + 1):
        train(network, optimizer, part)
        score = right(network, validation)
        print(f"epoch {epoch}: validation {score:.4f}")

    parameters = sum(p.numel() for p in network.parameters())
    print(f"test {right(network, dialogues(256, 3)):.4f} with {parameters} parameters")


if __name__ == "__main__":
    main()
