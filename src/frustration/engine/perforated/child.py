"""The process of one trial with perforatedai: `python -P -m frustration.engine.perforated.child`.

It runs in a folder of its own and answers requests over the pipes that were its stdin and stdout; the
library gets /dev/null to read from, and its prints go to stderr. It ends when the requests do.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray

from frustration.engine.perforated import wire
from frustration.engine.perforated.licence import EMAIL, TOKEN, redact, redact_files

if TYPE_CHECKING:
    from frustration.engine.perforated.trainee import Trainee

Reply = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def main() -> None:
    requests, replies = take_pipes()
    folder = Path.cwd()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides; Ctrl-C reaches the whole group
    # Credentials are out of the environment before anything else runs, and back only while the library
    # looks for them.
    secrets = tuple(os.environ.pop(name, "") for name in (TOKEN, EMAIL))
    if not any(secrets):
        # Installing perforatedbp is enough to switch it on; without a licence the import has to fail.
        sys.modules["perforatedbp"] = None  # type: ignore[assignment]
    trainee: Trainee | None = None
    try:
        while True:
            try:
                request, arrays = wire.receive(requests)
            except EOFError:
                break
            if trainee is None:
                trainee = trainee_of(request.pop("trains"), secrets)
            answer(replies, trainee.handlers[request.pop("do")], request, arrays, secrets, folder)
    finally:
        if wire.EPHEMERAL in sys.argv:
            shutil.rmtree(folder, ignore_errors=True)


def trainee_of(kind: str, secrets: tuple[str, ...]) -> Trainee:
    """Who answers: the library is imported here."""
    if kind == wire.PROBLEM:
        from frustration.engine.perforated.module import ModuleTrainee

        return ModuleTrainee(secrets)
    from frustration.engine.perforated.mlp import MLPTrainee

    return MLPTrainee(secrets)


def answer(
    replies: BinaryIO,
    handler: Callable[..., Reply],
    request: dict[str, Any],
    arrays: dict[str, NDArray[Any]],
    secrets: tuple[str, ...],
    folder: Path,
) -> None:
    """Do what is asked and say how it went."""
    message: dict[str, Any]
    held: dict[str, NDArray[Any]]
    try:
        message, held = handler(**request, **arrays)
    except SystemExit as ending:  # the library ends its process where it cannot continue, with 0 as well
        message, held = {"failed": f"the library ended its process with sys.exit({ending.code!r})"}, {}
    except Exception as error:  # the boundary of the process: whatever the library raised is reported
        message, held = (
            {"failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()},
            {},
        )
    sys.stdout.flush()  # what the library printed is with the parent before the answer is
    if any(secrets):
        redact_files(folder, secrets)
        message = {k: redact(v, secrets) if isinstance(v, str) else v for k, v in message.items()}
    wire.send(replies, message, held)


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, out of the library's reach."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main()
