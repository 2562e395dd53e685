"""Programs in processes of their own that import nothing again: forks of the process of the tests.

What such a process is told, keeps and prints is its own, and it can be killed; only its imports are shared.
"""

import importlib
import multiprocessing
import os
import random
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # the first optimizer of every process would import it, for as long as torch

from frustration.commands import COMMANDS


def command(*words: str) -> int:
    """`frustration WORDS`."""
    module, function, _ = COMMANDS[words[0]]
    return getattr(importlib.import_module(f"frustration.{module}"), function)(list(words[1:]))


def start(folder: Path, output: Path, program: Callable[..., int | None], *given: object) -> BaseProcess:
    """A program under way in a folder; what it prints goes to a file, what it returns is its exit code."""
    process = multiprocessing.get_context("fork").Process(
        target=_child, args=(folder, output, program, given)
    )
    process.start()
    return process


def _child(folder: Path, output: Path, program: Callable[..., int | None], given: tuple[object, ...]) -> None:
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115  # as long as the process
    os.chdir(folder)
    torch.set_num_threads(1)
    for seed in (random.seed, np.random.seed, torch.manual_seed):  # a run that rests on chance is found out
        seed(int.from_bytes(os.urandom(4)))
    sys.exit(program(*given))


def ended(process: BaseProcess, seconds: float = 300) -> int | None:
    """Its exit code; if it still runs after so many seconds it is killed, and the code is negative."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode
