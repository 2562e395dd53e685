"""The plain loop that every ratio in these benchmarks refers to: that of examples/psa_in_one_file.py.

python benchmarks/plain.py [--architecture "[1*16]"] [--epochs 1]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from torch.utils.data import DataLoader

import frustration

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from psa_in_one_file import BATCH_SIZE as BATCH_SIZE
from psa_in_one_file import LEARNING_RATE as LEARNING_RATE
from psa_in_one_file import accuracy, build, tensors, train

VALIDATION_BATCH_SIZE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*16]", type=frustration.Architecture.parse)
    parser.add_argument("--epochs", default=1, type=int)
    args = parser.parse_args()
    data = frustration.load_dataset("mnist")
    training = DataLoader(tensors(data.train, data), batch_size=BATCH_SIZE, shuffle=True)
    validation = DataLoader(tensors(data.validation, data), batch_size=VALIDATION_BATCH_SIZE)
    model = build(args.architecture, data.features, data.classes)
    for epoch in range(args.epochs):
        started = time.process_time()
        loss, score = train(model, training), accuracy(model, validation)
        seconds = time.process_time() - started
        print(
            f"epoch {epoch + 1}: loss {loss:.4f}, validation accuracy {score:.2f} %, {seconds:.2f} s of CPU"
        )


if __name__ == "__main__":
    main()
