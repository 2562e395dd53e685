"""What all commands share: reading the command line, and ending with one sentence and an exit code.

Exit codes: 0 done, 2 what the user gave cannot be used, 1 failure, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from frustration.errors import FrustrationError, InputError, did_you_mean
from frustration.sinks import fenced_terminal, one_line

INTERRUPTED = 130


def run(command: str, function: Callable[[list[str]], int], argv: Sequence[str] | None = None) -> int:
    """The exit code of a command, given its arguments (None: those of this process).

    An error of ours, an output that takes nothing more and a lack of memory become one sentence on stderr;
    so does what the machine refuses in a place where nobody expected it. Anything else is a defect and keeps
    its traceback.
    """
    if sys.stdout is None:
        print(f"{command}: standard output is closed, so there is nowhere to write to", file=sys.stderr)
        return 1
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--"]:  # Poetry hands its own separator on
        del arguments[0]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" is no reason to lose a table
    with fenced_terminal():
        return _run(command, function, arguments)


def _run(command: str, function: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        code = _code(command, function, arguments)
        sys.stdout.flush()
    except OSError as error:
        if not _output_fails():
            return _unexpected(command, error, arguments)
        # What is still in the buffer would be complained about once more when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # as after `train | head`, which is no failure of ours
            print(f"{command}: cannot write to standard output: {error.strerror}", file=sys.stderr)
        return 1
    except (UnicodeError, RecursionError) as error:
        return _unexpected(command, error, arguments)
    return code


def _unexpected(command: str, error: Exception, arguments: list[str]) -> int:
    """Report an unexpected error in one sentence, where a traceback would not help the user."""
    if "--debug" in arguments:
        traceback.print_exception(error)
    elif not _in_a_folder():
        print(f"{command}: the current folder has been removed; change to another one", file=sys.stderr)
    else:
        print(
            f"{command}: unexpected {type(error).__name__}: {one_line(error)}; please report it, "
            f"with what the same command prints with --debug",
            file=sys.stderr,
        )
    return 1


def _in_a_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def _code(command: str, function: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        return function(arguments)
    except SystemExit as end:  # argparse, after --help
        return int(end.code or 0)
    except FrustrationError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        print(f"{command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except MemoryError as error:
        if "--debug" in arguments:
            traceback.print_exc()
        which = f": {error}" if str(error) else ""
        print(f"{command}: there is not enough memory for what was asked{which}", file=sys.stderr)
        return 1


def _output_fails() -> bool:
    """Whether stdout is the file that failed: nobody reads it, or its disk is full.

    An empty line is tried, because a long one that could not be written is in no buffer any more.
    """
    try:
        print(flush=True)
    except OSError:
        return True
    return False


MEANT = {
    "--epochs": "--meta-loops",
    "--loops": "--meta-loops",
    "--learning-rate": "--lr",
    "--mode": "--ablation-mode",
    "--modes": "--ablation-mode",
    "--ablation-mode": "--modes",
    "--arch": "--architectures",
    "--architecture": "--arch",
    "--architectures": "--arch",
}
"""Names of flags in other programs, or in another command of ours."""


NO_VERSION = "there is no flag --version here; `frustration --version` prints it"


class Parser(argparse.ArgumentParser):
    """A command line whose errors are one sentence: the flag, the value, and what is accepted."""

    def __init__(self, command: str, description: str, more: Callable[[], str] = str) -> None:
        """`more` makes the end of --help; it is called when --help is asked for."""
        super().__init__(
            prog=command,
            usage=f"{command} [flags]",
            description=textwrap.fill(description, help_width()),
            formatter_class=_Help,
            allow_abbrev=False,
            add_help=False,
        )
        self._more = more
        self._negative_number_matcher = re.compile(r"-[0-9.]")  # -1e-3 is a bad value, not a flag

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        # The last flag of all: below those of the command, whatever groups it has.
        self._action_groups[-1].add_argument("-h", "--help", action="help", help="show this and end")
        if _wanted.get():
            raise _FoundError(self)
        settings, rest = self._settings(arguments)
        options, unknown = self.parse_known_args(rest)
        if settings:
            (place,) = self._places_of_settings()
            setattr(options, place.dest, [*(getattr(options, place.dest) or ()), *settings])
        if unknown:
            raise InputError(self._about_unknown(unknown[0]))
        return options

    def _places_of_settings(self) -> list[argparse.Action]:
        return [one for one in self._actions if one.metavar == "KEY=VALUE" and not one.option_strings]

    def _settings(self, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
        """(KEY=VALUE, the rest): argparse would take them for values of the flag before them, or for none."""
        if not self._places_of_settings():
            return [], list(arguments)
        settings, rest, flag = [], [], ""
        for word in arguments:
            known = self._option_string_actions.get(flag)
            if re.match("[a-z_]+=", word) and not (known and known.nargs is None):
                settings.append(word)
            else:
                rest.append(word)
            flag = word
        return settings, rest

    def format_help(self) -> str:
        self.epilog = self._more()
        return super().format_help()

    def print_help(self, file: Any = None) -> None:
        """Like argparse, but an output that cannot be written is not ignored."""
        print(self.format_help(), end="", file=file, flush=True)

    def error(self, message: str) -> NoReturn:
        """`message` is argparse's."""
        flag, colon, what = message.removeprefix("argument ").partition(": ")
        if not colon:
            raise InputError(message)
        flag = flag.partition("/")[0]
        if what.startswith("expected"):
            action = self._option_string_actions.get(flag)
            wanted = f": {action.help.partition(' (')[0]}" if action and action.help else ""
            raise InputError(f"{flag} needs a value{wanted}")
        if other := re.fullmatch(r"not allowed with argument (\S+)", what):
            raise InputError(f"{flag} cannot go together with {other[1]}; give one of them")
        if extra := re.fullmatch(r"ignored explicit argument (.*)", what):
            raise InputError(f"{flag} takes no value, not even {extra[1]}")
        raise InputError(f"{flag} {what}")

    def _about_unknown(self, word: str) -> str:
        if not word.startswith("-"):
            key, _, value = word.partition("=")
            if value and f"--{key}" in self._option_string_actions:
                return f'unexpected argument "{word}" (did you mean --{key} {value}?)'
            return f'unexpected argument "{word}"; see {self.prog} --help'
        flag = word.partition("=")[0]
        if flag == "--version":
            return NO_VERSION
        meant = MEANT.get(flag, "")
        known = self._option_string_actions
        hint = f" (did you mean {meant}?)" if meant in known else did_you_mean(flag.replace("_", "-"), known)
        if not hint and any(action.metavar == "KEY=VALUE" for action in self._actions):
            hint = f" (if it is a key of the study's file: {flag.strip('-').replace('-', '_')}=VALUE)"
        return f"there is no flag {flag}{hint}; see {self.prog} --help"


_wanted: ContextVar[bool] = ContextVar("wanted", default=False)


class _FoundError(Exception):
    """The parser that `parser_of` looks for."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser


def parser_of(command: Callable[[Sequence[str]], int], words: Sequence[str]) -> Parser:
    """The parser that a command reads its line with: it is called, and stopped before it reads."""
    token = _wanted.set(True)
    try:
        command(words)
    except _FoundError as found:
        return found.parser
    finally:
        _wanted.reset(token)
    raise ValueError(f"{command} reads no flags")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal, but no wider than is easy to read."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=help_width())


def help_width() -> int:
    return max(40, min(shutil.get_terminal_size().columns, 100) - 2)


def whole(least: int, most: int = 10**6) -> Callable[[str], int]:
    """A type of argparse: a whole number from `least` to `most`."""

    def read(text: str) -> int:
        # The length is looked at first: int() refuses thousands of digits with an error of its own.
        if re.fullmatch(r"[+-]?[0-9]{1,19}", text, re.ASCII) and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from {least} to {most}")

    return read


def real(least: float, most: float = math.inf, above: bool = False) -> Callable[[str], float]:
    """A type of argparse: a finite number from `least` (or `above` it) to `most`."""
    wanted = f"above {least:g}" if above else f"of {least:g} or more"
    wanted += f" and at most {most:g}" if math.isfinite(most) else ""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and least <= value <= most and not (above and value == least):
            return value
        raise argparse.ArgumentTypeError(f"{text} is not a number {wanted}")

    return read
