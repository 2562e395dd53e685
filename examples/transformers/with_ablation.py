"""The Trainer of transformers: a small BERT learns which of two words a sentence repeats more often.

Made without a download: the network comes from a configuration, the sentences from a seeded generator.
"""

import argparse
import random

import numpy as np
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments, set_seed

from frustration.loops.transformers import RatchetCallback

WORDS, LENGTH = 24, 16


def sentences(count: int, seed: int) -> list[dict]:
    """Of two marked words, 1 and 2, one occurs more often: that is the label."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        words = [
            draw.choice([1, 2, *range(3, WORDS)]) if draw.random() < 0.5 else draw.choice([1, 2])
            for _ in range(LENGTH)
        ]
        if words.count(1) != words.count(2):
            made.append({"input_ids": words, "labels": int(words.count(2) > words.count(1))})
    return made


def accuracy(prediction) -> dict[str, float]:
    return {"accuracy": float((np.argmax(prediction.predictions, -1) == prediction.label_ids).mean())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, default=2_000)
    parser.add_argument("--mode", default="hidden")
    args = parser.parse_args()
    set_seed(0)
    network = BertForSequenceClassification(
        BertConfig(
            vocab_size=WORDS,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=LENGTH,
            num_labels=2,
        )
    )
    trainer = Trainer(
        network,
        TrainingArguments(
            output_dir="out",
            num_train_epochs=args.epochs,
            eval_strategy="epoch",
            save_strategy="no",
            learning_rate=3e-3,
            per_device_train_batch_size=32,
            per_device_eval_batch_size=256,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=sentences(args.samples, 1),
        eval_dataset=sentences(args.samples // 4, 2),
        compute_metrics=accuracy,
    )
    ratchet = RatchetCallback(trainer, "eval_accuracy", mode=args.mode)
    trainer.add_callback(ratchet)
    trainer.train()

    print(f"accepted: {sum(ratchet.ratchet.accepted)} of {len(ratchet.ratchet.accepted)} loops")
    score = trainer.evaluate(sentences(args.samples // 4, 3))["eval_accuracy"]
    print(f"test {score:.4f} with {sum(p.numel() for p in network.parameters())} parameters")


if __name__ == "__main__":
    main()
