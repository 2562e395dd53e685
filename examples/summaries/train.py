"""Protocol A / B / C on summaries under the flags of the published training code, one arm a run.

python examples/summaries/train.py --experiment-type compressed_pai --dataset samsum --max-steps 2000
"""

import argparse
import os
import sys

from frustration.commands.train import main as train

ARMS = {
    "baseline": ("full", "early-stop"),
    "compressed_pai": ("compressed", "dendrites"),
    "compressed_control": ("compressed", "early-stop"),
}
FRESH = {"full": {"width": 48, "feed_forward": 96}, "compressed": {"width": 16, "feed_forward": 24}}
PRETRAINED = {"full": {"layers": 0}, "compressed": {"layers": 2}}


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    result.add_argument("--experiment-type", choices=ARMS, required=True, help="A, B or C")
    result.add_argument("--dataset", default="made-up", help="made-up, samsum, or a folder in SAMSum's form")
    result.add_argument("--model-name", default="", help="such as t5-small; without it, a small fresh T5")
    result.add_argument("--batch-size", type=int, default=16)
    result.add_argument("--learning-rate", type=float, help="default: 1e-2, of a pretrained network 3e-4")
    result.add_argument("--max-steps", type=int, default=100_000, help="growth, or its schedule, ends before")
    result.add_argument("--eval-steps", type=int, default=20, help="between two evaluations")
    result.add_argument("--patience", type=int, default=3, help="evaluations without a new best")
    result.add_argument("--trials", type=int, default=1)
    result.add_argument("--model-dir", help="default: models/EXPERIMENT_TYPE")
    result.add_argument("--wandb", choices=["enabled", "disabled"], default="disabled")
    result.add_argument("--wandb-project", default="frustration-engine")
    return result


def command(args: argparse.Namespace) -> list[str]:
    """The same as words of `train`."""
    size, mode = ARMS[args.experiment_type]
    if args.model_name:
        fields = {"model": args.model_name, "summary_tokens": 64, **PRETRAINED[size]}
    else:
        fields = FRESH[size]
    rate = args.learning_rate or (3e-4 if args.model_name else 1e-2)
    return [
        *("--problem", "summaries:Summaries", "--set", f"dataset={args.dataset}"),
        *(f"{name}={value}" for name, value in fields.items()),
        *("--ablation-mode", f"{mode}:n_epochs_to_switch={args.patience}", "--trials", str(args.trials)),
        *("--loop-steps", str(args.eval_steps), "--until", str(max(1, args.max_steps // args.eval_steps))),
        *("--lr", str(rate), "--batch-size", str(args.batch_size)),
        *("--model-dir", args.model_dir or f"models/{args.experiment_type}"),
        *(("--tracker", "wandb") if args.wandb == "enabled" else ()),
    ]


def main() -> int:
    args = parser().parse_args()
    os.environ.setdefault("WANDB_PROJECT", args.wandb_project)
    words = command(args)
    print("train", *(f'"{word}"' if " " in word else word for word in words))
    return train(words)


if __name__ == "__main__":
    sys.exit(main())
