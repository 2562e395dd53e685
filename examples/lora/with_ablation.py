"""LoRA on a causal language model: a frozen base learns to copy the first word of a sequence to its end.

Made without a download: the base comes from a configuration and is trained for a moment on another task.
"""

import argparse

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from frustration.loops import Ratchet

WORDS, LENGTH = 16, 8


def sequences(count: int, seed: int, copies: bool) -> torch.Tensor:
    """The last word is the first one, or (for the base) the one after the word before it."""
    words = torch.randint(1, WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    words[:, -1] = words[:, 0] if copies else words[:, -2] % (WORDS - 1) + 1
    return words


def train(network: nn.Module, optimizer: torch.optim.Optimizer, words: torch.Tensor) -> None:
    network.train()
    for batch in torch.randperm(len(words)).split(64):
        labels = words[batch].clone()
        labels[:, :-1] = -100
        optimizer.zero_grad()
        network(input_ids=words[batch], labels=labels).loss.backward()
        optimizer.step()


@torch.no_grad()
def accuracy(network: nn.Module, words: torch.Tensor) -> float:
    network.eval()
    said = network(input_ids=words).logits[:, -2].argmax(-1)
    return (said == words[:, -1]).float().mean().item()


def base() -> LlamaForCausalLM:
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=WORDS,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=LENGTH,
        )
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for epoch in range(3):
        train(network, optimizer, sequences(1_000, epoch, copies=False))
    return network


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--samples", type=int, default=1_000)
    parser.add_argument("--rank", type=int, default=2)
    parser.add_argument("--mode", default="hidden")
    args = parser.parse_args()
    torch.manual_seed(0)
    network = get_peft_model(base(), LoraConfig(r=args.rank, target_modules=["q_proj", "v_proj"]))
    words, validation = sequences(args.samples, 10, copies=True), sequences(500, 11, copies=True)

    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-2)
    ratchet = Ratchet(network, mode=args.mode)  # hidden units are the ranks of LoRA
    ratchet.set_optimizer(optimizer)
    for epoch in range(1, args.epochs + 1):
        train(network, optimizer, words)
        score = accuracy(network, validation)
        print(f"epoch {epoch}: validation {score:.4f}")
        ratchet.add_score(score)
    ratchet.restore()

    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    print(f"test {accuracy(network, sequences(500, 12, copies=True)):.4f} with {trained} trained parameters")


if __name__ == "__main__":
    main()
