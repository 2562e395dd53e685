"""The command `train` as a user starts it, what it leaves in a model directory, and how to stop it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from frustration.commands.train import main as command

TRAIN = str(Path(sys.executable).with_name("train"))
CLEAN = str(Path(sys.executable).with_name("clean"))
PATIENT = 5
"""Seconds for what takes one on an idle machine."""
QUICK = ("--train-fraction", "0.04", "--lr", "1e-3", "--json")
"""2,000 training images: an epoch of a small network takes milliseconds."""
SESSION = (
    *("--arch", "[1*16]", "--trials", "3", "--until", "12"),
    *("--ablation-mode", "none", "dropout", "hidden/persist", "full/patience-2", "plain"),
)
"""Fifteen trials in two groups, with everything that a resume file may hold."""


class Run:
    """A `train` under way; its output goes to a file, so that no pipe can hold it up."""

    def __init__(self, model_dir: Path, *flags: str, prefix: tuple[str, ...] = (), **popen) -> None:
        self.output = model_dir.with_name(f"{model_dir.name}.{time.monotonic_ns()}.txt")
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [*prefix, TRAIN, "--model-dir", str(model_dir), *QUICK, *flags],
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                **popen,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def sentences(self) -> list[str]:
        """What was said besides the JSON objects."""
        return [line for line in self.text.splitlines() if not line.startswith("{")]

    def until(self, said: str, times: int = 1) -> None:
        """Wait until the command has printed something, or has ended."""
        wait_until(lambda: self.text.count(said) >= times or self.process.poll() is not None, seconds=60)

    def until_training(self) -> None:
        self.until('"type": "start"')

    def kill(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds: float = 90) -> int:
        return self.process.wait(seconds)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def train(model_dir: Path, *flags: str, **popen) -> Run:
    """A run that has ended."""
    with Run(model_dir, *flags, **popen) as run:
        run.wait()
    return run


def finished(model_dir: Path, *flags: str) -> Run:
    run = train(model_dir, *flags)
    assert run.process.returncode == 0, run.text
    return run


def one_sentence(run: Run, *words: str) -> str:
    """What the command complained, which must be one line that holds these words."""
    assert len(run.sentences) == 1, run.text
    for word in words:
        assert word in run.sentences[0], f"{word!r} is not in: {run.sentences[0]}"
    return run.sentences[0]


def kept(model_dir: Path) -> dict[str, object]:
    """Every file of a model directory by name, without the time that the training took."""
    files = sorted(path for path in model_dir.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(model_dir)): _content(path) for path in files}


def resume_state(path: Path) -> dict:
    """What a resume file says besides its tensors."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["state"])


def _content(path: Path) -> object:
    if path.name.endswith(".resume.safetensors"):
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:start])
        state = json.loads(header.pop("__metadata__")["state"])
        del state["seconds"]
        return {"tensors": header, "state": state, "values": content[start:]}
    if path.name.endswith(".record.json"):
        record = json.loads(path.read_bytes())
        del record["seconds"], record["sha256"]
        return record
    return path.read_bytes()


def assert_same(left: dict[str, object], right: dict[str, object]) -> None:
    """Bit for bit, naming what differs instead of printing weights."""
    assert list(left) == list(right)
    differing = [name for name in left if left[name] != right[name]]
    assert not differing


def workers_of(pid: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"frustration.runners.worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """How long a process has computed; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


def refused(capsys, *flags: str) -> tuple[int, str]:
    """Exit code and sentence of a `train` that is refused before it trains; in this process, to save time."""
    code = command([*flags])
    said = capsys.readouterr()
    assert said.out == ""
    (sentence,) = said.err.splitlines()
    return code, sentence
