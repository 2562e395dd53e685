"""Commands in processes of their own that import nothing again: forks of the process of the tests.

What such a process is told, keeps and prints is its own, and it can be killed; only its imports are shared.
"""

import importlib
import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from frustration.commands import COMMANDS


def _main(words: tuple[str, ...], folder: Path, output: Path) -> None:
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.stdout = sys.stderr = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115  # as long as the process
    os.chdir(folder)
    module, function, _ = COMMANDS[words[0]]
    sys.exit(getattr(importlib.import_module(f"frustration.{module}"), function)(list(words[1:])))


def start(*words: str, folder: Path, output: Path) -> BaseProcess:
    """`frustration WORDS` in a folder, under way; what it prints goes to a file."""
    process = multiprocessing.get_context("fork").Process(target=_main, args=(words, folder, output))
    process.start()
    return process


def ended(process: BaseProcess, seconds: float = 300) -> int | None:
    """Its exit code; None if it still runs after so many seconds."""
    process.join(seconds)
    return process.exitcode


def said(*words: str, folder: Path) -> str:
    """What `frustration WORDS` prints in a folder, by the time that it has ended."""
    output = folder / "said.txt"
    ended(start(*words, folder=folder, output=output))
    return output.read_text()
