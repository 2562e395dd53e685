"""completion: a script that lets a shell complete commands, flags and files."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from frustration.commands.arguments import parser_of
from frustration.commands.options import Options, argument, command
from frustration.errors import InputError, did_you_mean

NAME = "frustration completion"
UMBRELLA = "frustration"
SHELLS = ("bash", "zsh", "tcsh")

MORE = """\
bash, for this session or in ~/.bashrc:
  source <(frustration completion bash)
  source <(frustration completion bash train)       for the command `train` of its own
zsh, once, into a folder of $fpath:
  frustration completion zsh > ~/.zfunc/_frustration
tcsh, in ~/.tcshrc:
  frustration completion tcsh > ~/.frustration.tcsh; source ~/.frustration.tcsh"""


class CompletionOptions(Options):
    """Print a script for a shell's completion."""

    command = NAME
    usage = f"{{{','.join(SHELLS)}}} [COMMAND]"
    epilog = MORE

    shell: str | None = argument(", ".join(SHELLS), None, metavar="SHELL")
    of: str = argument("whose words (default: frustration)", UMBRELLA, metavar="COMMAND")


def _completion(options: CompletionOptions) -> int:
    if options.shell is None:
        raise InputError(f"name a shell: {', '.join(SHELLS)}")
    if options.shell not in SHELLS:
        hint = did_you_mean(options.shell, SHELLS)
        raise InputError(f'"{options.shell}" is no shell{hint}; there are {", ".join(SHELLS)}')
    print(script(options.shell, options.of))
    return 0


def script(shell: str, command: str = UMBRELLA) -> str:
    """What the shell has to read."""
    import shtab

    from frustration.commands import COMMANDS

    if command not in (UMBRELLA, *COMMANDS):
        raise InputError(f'there is no command "{command}"{did_you_mean(command, (UMBRELLA, *COMMANDS))}')
    text: str = shtab.complete(_tree() if command == UMBRELLA else _command(command), shell)
    return text


def _tree() -> argparse.ArgumentParser:
    """`frustration` with every command below it."""
    from frustration.commands import COMMANDS

    root = argparse.ArgumentParser(UMBRELLA, add_help=False)
    below = root.add_subparsers()
    for name, (_, _, about) in COMMANDS.items():
        below.add_parser(name, help=about, parents=[_command(name)], add_help=False)
    return root


def _command(name: str) -> argparse.ArgumentParser:
    """One command; `study`, which is nothing without a verb, with its verbs below it."""
    from frustration.commands import COMMANDS

    module, function, _ = COMMANDS[name]
    call: Callable[[Sequence[str]], int] = getattr(importlib.import_module(f"frustration.{module}"), function)
    if name != "study":
        return _with_files(name, parser_of(call, []))
    from frustration.commands.study import COMMANDS as VERBS

    root = argparse.ArgumentParser(name, add_help=False)
    below = root.add_subparsers()
    for verb, (_, _, about) in VERBS.items():
        own = _with_files(verb, parser_of(call, [verb]))
        below.add_parser(verb, help=about, parents=[own], add_help=False)
    return root


def _with_files(name: str, parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Flags that take a path are completed with files."""
    import shtab

    for action in parser._actions:
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
    return argparse.ArgumentParser(name, add_help=False, parents=[parser])


main = command(CompletionOptions, _completion)
