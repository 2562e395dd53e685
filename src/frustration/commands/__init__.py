"""The command line: `frustration`, in short `fe`, and its subcommands."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from frustration.commands.arguments import run
from frustration.errors import InputError, did_you_mean
from frustration.version import VERSION

COMMANDS = {
    "train": ("commands.train", "main", "train a network, or compare modes of treatment on it"),
    "clean": ("commands.clean", "main", "remove checkpoints from the model directory"),
    "clean-all": ("commands.clean", "main_all", "remove all of them, as clean --all does"),
    "doctor": ("commands.doctor", "main", "which backend trains here, why, and how fast it is"),
    "analyze-dataset": (
        "commands.analyze_dataset",
        "main",
        "class counts and ZeroR of every part of a data set",
    ),
    "study": ("commands.study", "main", "run a grid of trials, watch it, verify it, extend it"),
    "probe": (
        "commands.probe",
        "main",
        "robustness, calibration and latency of a study's networks, without training",
    ),
    "report": (
        "commands.report",
        "main",
        "report a study: tests, tables, figures, one page; or compare two",
    ),
    "perforate": (
        "commands.perforate",
        "main",
        "add dendrites to a training script; debug, repair, analyze one",
    ),
    "ablate": ("commands.perforate", "ablate", "add ablation with a ratchet to a training script"),
    "completion": ("commands.completion", "main", "print a shell-completion script"),
    "make-architecture-table": (
        "original.commands",
        "architecture_table",
        "architectures and parameters, in LaTeX",
    ),
    "make-trial-accuracy-table": (
        "original.commands",
        "accuracy_table",
        "bounties of every treatment, in LaTeX",
    ),
    "make-figure-design-space": (
        "original.commands",
        "design_space",
        "depth against width of the architectures",
    ),
    "make-design-space-figure": ("original.commands", "design_space", "the same"),
    "make-figure-heatmaps": ("original.commands", "heatmaps", "six maps of the architectures"),
    "make-convergence-plots": ("original.commands", "convergence", "learning curves of some architectures"),
    "sagemaker-launch": ("commands.sagemaker_launch", "main", "launch a study on SageMaker, in few jobs"),
    "sagemaker-status": ("commands.sagemaker_status", "main", "the status of a study in the cloud"),
    "sagemaker-results-parser": (
        "commands.sagemaker_results_parser",
        "main",
        "download a study's records and make its tables",
    ),
    "sagemaker-stop": ("commands.sagemaker_stop", "main", "stop the running jobs of a study"),
    "sagemaker-cost-estimator": (
        "commands.sagemaker_cost_estimator",
        "main",
        "what a study will cost, and what its jobs have cost",
    ),
    "sagemaker-estimate-storage": (
        "commands.sagemaker_estimate_storage",
        "main",
        "what is stored in S3, and what it costs a month",
    ),
    "sagemaker-get-training-logs": (
        "commands.sagemaker_get_training_logs",
        "main",
        "the complete logs of a study's jobs",
    ),
    "sagemaker-logs-parser": ("commands.sagemaker_logs_parser", "main", "learning curves from logs"),
    "sagemaker-reconstruct-jobs": (
        "commands.sagemaker_reconstruct_jobs",
        "main",
        "list a study's jobs, as SageMaker reports them",
    ),
    "sagemaker-clean": ("commands.sagemaker_clean", "main", "remove a study's objects from S3"),
    "generate-reproduction-tests": (
        "original.generate_reproduction_tests",
        "main",
        "the published grid as commands of train, and a script that runs them all",
    ),
}
"""Name -> (module, function, summary). A module is imported when its command is called."""


def main(argv: Sequence[str] | None = None) -> int:
    """The umbrella command; returns the exit code."""
    return run("frustration", _dispatch, argv)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    name, *rest = arguments
    if name == "--version":
        print(f"frustration-engine {VERSION}")
        return 0
    if name not in COMMANDS:
        what = "flag" if name.startswith("-") else "command"
        known = ["--help", "--version"] if what == "flag" else list(COMMANDS)
        hint = did_you_mean(name, known)
        raise InputError(f'there is no {what} "{name}"{hint}; there are {", ".join(known)}')
    module, function, _ = COMMANDS[name]
    command = getattr(importlib.import_module(f"frustration.{module}"), function)
    return int(command(rest))


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{summary}" for name, (_, _, summary) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: frustration COMMAND ...",
            "",
            "Does a training intervention help a network: by how much, with what certainty, at what cost?",
            "",
            "commands:",
            *lines,
            "",
            "`frustration COMMAND --help` explains it; `fe` is short for frustration.",
            "Commands of the original project, such as train and clean, can also be called directly.",
        ]
    )
