"""clean: remove checkpoints. It never asks, lists what it removed, and stays in the model directory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frustration.commands.options import Options, argument, command, option
from frustration.errors import InputError
from frustration.files import LOCK, is_our_lock, locked
from frustration.model_directory import ModelDirectory


class CleanOptions(Options):
    """Remove checkpoints from the model directory: the default one (mnist_lkg), those named, or all. It asks
    nothing and lists what it removed."""

    command = "clean"
    epilog = (
        "Removing an LKG also removes its resume file, curve and record; removing a resume file, its curve.\n"
        "Name a folder to remove the files of runs in it. Other files are only removed if named."
    )

    names: tuple[str, ...] = argument("files in it, with or without models/", (), metavar="FILE")
    everything: bool = option("everything that runs have saved there", False, flag="--all")
    dry_run: bool = option("only list what would be removed", False)
    model_dir: Path = option("default: models/", Path("models"), read=Path, metavar="PATH")


class CleanAllOptions(CleanOptions):
    __doc__ = CleanOptions.__doc__

    command = "clean-all"
    usage = "[flags]"


def _clean(options: CleanOptions) -> int:
    if options.everything and options.names:
        raise InputError(f"--all takes no file names, but here is {options.names[0]}")
    if not options.model_dir.exists():
        print(f"nothing to remove: {options.model_dir} is not there")
        return 0
    if not options.model_dir.is_dir():
        raise InputError(f"--model-dir {options.model_dir} is not a folder")
    directory = ModelDirectory(options.model_dir)
    if not directory.is_one():
        raise InputError(f"{options.model_dir} holds no checkpoint, so nothing is removed from it")
    if options.dry_run:
        _report(directory.wanted(options.names, options.everything), directory, "would remove")
        return 0
    with contextlib.ExitStack() as held:
        lock = directory.root / LOCK
        held.enter_context(locked(lock, _busy(options.model_dir)))
        wanted = directory.wanted(options.names, options.everything)
        for inner in directory.folders_of(wanted):  # model directories inside this one
            if (inner / LOCK).is_file():
                held.enter_context(locked(inner / LOCK, _busy(directory.shown(inner))))
        removed: list[Path] = []
        try:
            for path in wanted:
                directory.remove(path)
                removed.append(path)
        finally:
            _report(removed, directory, "removed")
            if is_our_lock(lock):
                lock.unlink(missing_ok=True)
    return 0


def _busy(model_dir: Path) -> str:
    return f"a run is using {model_dir}; wait for it, or stop it, and then clean"


def _report(paths: Sequence[Path], directory: ModelDirectory, did: str) -> None:
    for path in paths:
        print(f"{did} {directory.shown(path)}")
    if paths:
        print(f"{did} {len(paths):,} in all, in {directory.root}")
    if not paths:
        left = sum(1 for _ in directory.left_by_runs())
        others = f"; other files are there ({left}): name them, or use --all" if left else ""
        print(f"nothing to remove in {directory.given}{others}")


def _clean_all(options: CleanAllOptions) -> int:
    return _clean(replace(options, everything=True))


main = command(CleanOptions, _clean)
main_all = command(CleanAllOptions, _clean_all)
