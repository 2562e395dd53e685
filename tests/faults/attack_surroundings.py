"""Attacks by surroundings: commands on machines and in folders that nobody thought of."""

from __future__ import annotations

import functools
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from attack_kit import store_of
from tally import Tally

import frustration
from frustration.engine.native.build import library_path

PATIENCE = 180
"""Seconds for what takes three: a hang has no end."""
COMMANDS = (
    ("train", "--arch", "[1*2]", "--meta-loops", "1", "--train-fraction", "0.02", "--threads", "1"),
    ("study", "show", "attacked"),
    ("study", "run", "attacked.toml", "--dry-run"),
    ("study", "status", "attacked"),
    ("study", "export", "attacked", "--output", "trials.csv"),
    ("report", "attacked", "--no-figures"),
    ("clean", "--all"),
)
MADE = ("trials.csv", "results/attacked/report/report.md", "results/attacked/report/trials.csv")
"""What these commands leave behind that says how good a network is, beside what they print."""
WITHOUT = """
import errno, os, pwd, sys, filelock
def no_locks(*_, **__):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
def no_user(*_):
    raise KeyError
if sys.argv.pop(1) == "locks":
    filelock.lock_descriptor = no_locks
else:
    pwd.getpwuid = no_user
from frustration.commands import main
sys.exit(main(sys.argv[1:]))
"""
"""A file system without locks, a user whom the system does not know."""


class Machine:
    """A command, the folder that it runs in, and everything around it; an attack changes one thing."""

    def __init__(self, folder: Path, command: tuple[str, ...]) -> None:
        self.folder, self.command = folder, list(command)
        self.program = ["-m", "frustration"]
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "PYTHONPATH": str(Path(frustration.__file__).parents[1]),
            "HOME": str(folder),
            "FRUSTRATION_CACHE": str(library_path().parent),  # not compiled anew for each
            "OMP_NUM_THREADS": "1",
        }
        self.removed = False
        store = store_of(folder / "results")
        (folder / "attacked.toml").write_text(store.study().to_toml())
        (folder / "models").mkdir()

    def run(self) -> subprocess.CompletedProcess[bytes]:
        words = [sys.executable, *self.program, *self.command]
        if self.removed:
            gone = self.folder / "gone"
            gone.mkdir()
            words = ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone), *words]
        return subprocess.run(
            words, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=PATIENCE,
        )  # fmt: skip

    def told(self, printed: bytes) -> str:
        """The letters and digits of all that a command has printed and made, but for times and estimates."""
        files = (self.folder / name for name in MADE)
        texts = [printed, *(path.read_bytes() for path in files if path.is_file())]
        text = b"\n".join(texts).decode(errors="replace")
        return "".join(re.findall(r"[A-Za-z0-9.]", re.sub(r"\d+:\d\d|estimate: .*", "", text)))


@functools.cache
def _undisturbed(command: tuple[str, ...]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder), command)
        return machine.told(machine.run().stdout)


def _no_home(machine: Machine, draw: random.Random) -> None:
    del machine.environment["HOME"]
    machine.program = ["-c", WITHOUT, "home"]


def _no_locks(machine: Machine, draw: random.Random) -> None:
    machine.program = ["-c", WITHOUT, "locks"]


def _removed(machine: Machine, draw: random.Random) -> None:
    machine.removed = True


def _strange_name(machine: Machine, draw: random.Random) -> None:
    name = draw.choice([b"caf\xe9", b"\xff\xfe", b"a\nb\x1b[31m", b"x" * 200, b" ", b"-rf"])
    strange = machine.folder / os.fsdecode(name)
    within = list(machine.folder.iterdir())
    strange.mkdir()
    for path in within:
        path.rename(strange / path.name)
    machine.folder = strange


def _strange_locale(machine: Machine, draw: random.Random) -> None:
    machine.environment |= draw.choice([
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "nonsense"},
        {"PYTHONUTF8": "0", "LC_ALL": "POSIX"}, {"TERM": "nonsense", "COLUMNS": "0"}, {"COLUMNS": "-1"},
    ])  # fmt: skip


def _no_file(machine: Machine, draw: random.Random) -> None:
    """A pipe, a device, a folder or a link to itself in place of a file."""
    files = [path for path in machine.folder.rglob("*") if path.is_file() and "cache" not in path.parts]
    places = [*files, *(machine.folder / "models" / name for name in (".lock", "mnist_lkg.safetensors"))]
    place = draw.choice(sorted(places))
    place.unlink(missing_ok=True)
    kind = draw.choice(["pipe", "device", "folder", "loop"])
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(place)


def _no_file_named(machine: Machine, draw: random.Random) -> None:
    """The same where the user names it."""
    os.mkfifo(machine.folder / "pipe")
    named = draw.choice(["/dev/zero", "pipe", "/dev/null", "/proc/self/mem", ".", "/dev/full"])
    machine.command = draw.choice([
        ["study", "run", "--arch", f"@{named}", "--dry-run"], ["study", "run", named],
        ["train", "--arch", "[1*2]", "--model-dir", named], ["report", named], ["clean", named],
        ["report", "compare", named, "attacked"], ["study", "merge", named, "--into", "attacked"],
    ])  # fmt: skip


ATTACKS: tuple[Callable[[Machine, random.Random], None], ...] = (
    *(_no_home, _no_locks, _removed, _strange_name, _strange_locale),
    *(_no_file, _no_file, _no_file_named),
)


def run(seed: int, count: int) -> Tally:
    """`count` commands, each with one thing around it that is not as it should be."""
    tally = Tally()
    for number in range(count):
        draw = random.Random(f"{seed}.{number}")
        attack = ATTACKS[number % len(ATTACKS)]
        with tempfile.TemporaryDirectory() as folder:
            command = draw.choice(COMMANDS)
            machine = Machine(Path(folder), command)
            attack(machine, draw)
            what = f"{seed}.{number}: {attack.__name__}: {' '.join(machine.command)}"
            tally.tried += 1
            try:
                ended = machine.run()
            except subprocess.TimeoutExpired:
                tally.count("hangs", what)
                continue
            told = machine.told(ended.stdout)
        said = ended.stderr.decode(errors="replace")
        if "Traceback" in said or "unexpected " in said or ended.returncode not in (0, 1, 2):
            tally.count("tracebacks", f"{what}: exit code {ended.returncode}: {said[-600:]}")
        elif ended.returncode:
            tally.count("noticed", what)
        elif machine.command[0] == "clean":  # it says what it removes
            tally.count("harmless", what)
        elif attack is _no_file_named:
            tally.count("believed", f"{what}: {told}")
        elif told == _undisturbed(command):
            tally.count("harmless", what)
        else:  # what is missing must be named
            tally.count("noticed" if said.strip() else "believed", f"{what}: {told}")
    return tally
