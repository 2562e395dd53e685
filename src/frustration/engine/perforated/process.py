"""The parent's end of a trial's process: started when first needed, asked, and ended with its trial."""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from numpy.typing import NDArray

from frustration.engine.perforated import wire
from frustration.engine.perforated.licence import EMAIL, TOKEN, Licence, redact
from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError
from frustration.references import ProblemError

POLL_SECONDS: Final = 0.1
LINES_SHOWN: Final = 3
LOG: Final = "library.log"
FILES_VARIABLES: Final = tuple(f"FRUSTRATION_PERFORATEDAI_{what}" for what in ("FILES", "GRAPHS", "SAVES"))
NOT_INHERITED: Final = ("RANK", "PYTHONWARNINGS", "PYTHONSTARTUP", EMAIL, TOKEN)
"""RANK makes the library save nothing; warnings turned into errors end it; credentials are handed over."""

Answer = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class LibraryError(FrustrationError):
    """perforatedai failed, ended its process, or did what its rules do not say."""


class LibraryProblemError(LibraryError, ProblemError):
    """The same in a trial of a problem: it may be the problem's own code, and ends this trial only."""


class InTheChild(Exception):
    """What happened there: its traceback, as text."""


@dataclass(frozen=True)
class Files:
    """Which of the library's files a trial keeps: none, unless a folder is named."""

    folder: Path | None = None
    graphs: bool = False
    """Its PNG and CSV files, drawn anew after every epoch: half a second and more each time."""
    test_saves: bool = False
    """The present network after every epoch, and those around each growth."""

    @classmethod
    def from_environment(cls) -> Files:
        """As `to_environment` set them, for this process and its workers."""
        folder, graphs, saves = (os.environ.get(name, "") for name in FILES_VARIABLES)
        return cls(Path(folder) if folder else None, graphs == "1", saves == "1")

    def to_environment(self) -> None:
        """Where a trial is trained is not part of what it is, so this does not travel with its spec."""
        values = (str(self.folder or ""), str(int(self.graphs)), str(int(self.test_saves)))
        os.environ.update(dict(zip(FILES_VARIABLES, values, strict=True)))


class LibraryProcess:
    """A child that runs perforatedai for one trial, in a folder of its own."""

    def __init__(
        self, files: Files, licence: Licence | None = None, failure: type[LibraryError] = LibraryError
    ) -> None:
        self._failure = failure
        self._secrets = licence.secrets if licence else ()
        self.folder, self.ephemeral = _own_folder(files), files.folder is None
        environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MPLBACKEND": "Agg"}
        environment |= licence.environment() if licence else {}
        # -P: not the modules that happen to be in the folder.
        program = [sys.executable, "-P", "-m", "frustration.engine.perforated.child"]
        program += [wire.EPHEMERAL] if self.ephemeral else []
        try:
            self._process = subprocess.Popen(
                program,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise LibraryError(f"cannot start a process for perforatedai: {error.strerror}") from None
        if self._process.stdin is None or self._process.stdout is None or self._process.stderr is None:
            raise RuntimeError("pipes were asked for")
        self._requests: Any = self._process.stdin
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._lines: collections.deque[str] = collections.deque(maxlen=200)
        log = None if self.ephemeral else self.folder / LOG
        self._readers = [
            threading.Thread(target=_pass_on, args=(self._process.stdout, self._answers), daemon=True),
            threading.Thread(
                target=_read_lines, args=(self._process.stderr, self._lines, self._secrets, log), daemon=True
            ),
        ]
        for reader in self._readers:
            reader.start()
        self._end = weakref.finalize(self, _end, self._process, self.folder if self.ephemeral else None)

    def ask(
        self, do: str, arrays: wire.Arrays | None = None, stop: threading.Event | None = None, **request: Any
    ) -> Answer:
        """Send a request and wait for its answer; with `stop` set meanwhile, end the child: Interrupted."""
        try:
            wire.send(self._requests, {"do": do, **request}, arrays)
        except (OSError, ValueError):  # it has died, or was ended
            raise self._death() from None
        while True:
            try:
                answer = self._answers.get(timeout=POLL_SECONDS)
                break
            except queue.Empty:
                if stop is not None and stop.is_set():
                    self.kill()
                    raise Interrupted from None
        if answer is None:
            raise self._death()
        message, held = answer
        if failed := message.get("failed"):
            time.sleep(POLL_SECONDS)  # the other reader is about to have the library's last lines
            told = f"perforatedai failed: {failed}{self._last_lines()}"
            raise self._failure(told) from InTheChild(message.get("traceback", failed))
        return message, held

    @property
    def alive(self) -> bool:
        return self._end.alive and self._process.poll() is None

    def end(self) -> None:
        """Let the child end, and remove its folder if nobody wants it."""
        self._end()

    def kill(self) -> None:
        """End the child in the middle of what it does."""
        self._process.kill()
        self._end()

    def _death(self) -> LibraryError:
        code = self._process.wait()
        for reader in self._readers:
            reader.join(timeout=1)
        return self._failure(
            f"the process that runs perforatedai ended by itself (exit code {code}){self._last_lines()}"
        )

    def _last_lines(self) -> str:
        last = [line for line in self._lines if line.strip()][-LINES_SHOWN:]
        return f"; its last lines: {' | '.join(last)}" if last else ""


def _own_folder(files: Files) -> Path:
    if files.folder is None:
        return Path(tempfile.mkdtemp(prefix="frustration-perforatedai-"))
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="trial-", dir=files.folder))
    except OSError as error:
        raise LibraryError(f"cannot write perforatedai's files to {files.folder}: {error.strerror}") from None


def _pass_on(replies: BinaryIO, answers: queue.SimpleQueue[Answer | None]) -> None:
    with replies, contextlib.suppress(EOFError, OSError):
        while True:
            answers.put(wire.receive(replies))
    answers.put(None)


def _read_lines(
    stderr: BinaryIO, lines: collections.deque[str], secrets: tuple[str, ...], log: Path | None
) -> None:
    with stderr, contextlib.suppress(OSError, ValueError):
        for line in stderr:
            text = redact(line.decode(errors="replace").rstrip(), secrets)
            lines.append(text)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")


def _end(process: subprocess.Popen[bytes], folder: Path | None) -> None:
    """Closing the requests ends the child; one that does not is in the middle of an epoch nobody wants.

    The child removes its folder, so that nothing stays when this process is killed; but it may be dead.
    """
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
