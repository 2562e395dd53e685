"""The two kinds of errors of a command, their exit codes, and how they are put into words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


class FrustrationError(Exception):
    """What went wrong, in one sentence for the user; the command ends with `exit_code`."""

    exit_code = 1


class InputError(FrustrationError):
    """What the user gave cannot be used; the sentence says what would be accepted."""

    exit_code = 2


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one is nearest to, if any is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean hidden?)`, or nothing where no known name is near."""
    near = nearest(word, known)
    return f" (did you mean {near}?)" if near else ""


def last_line(traceback: str, otherwise: str = "an unknown error") -> str:
    """What went wrong, without where; `otherwise` if the text is empty. Of an error of ours: its sentence."""
    last = (traceback.strip().splitlines() or [otherwise])[-1]
    return re.sub(r"^frustration\.[\w.]+: ", "", last)


def first_line(error: Exception) -> str:
    """What an exception says first; its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def kind_and_first_line(error: Exception) -> str:
    """`ValueError: what it says first`, or the type alone."""
    kind, said = type(error).__name__, first_line(error)
    return kind if said == kind else f"{kind}: {said}"
