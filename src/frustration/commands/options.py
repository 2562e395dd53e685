"""Options of a command: the fields of a frozen dataclass, each declared once with its help and reader.

The parser is made from the declarations, and an instance from the arguments, which `act` gets:

    class Show(OneStudy):
        '''The table of a study: one row for every cell of its grid.'''

        command = "frustration study show"

    main = command(Show, act)

Options that several commands have are classes of their own, and a command inherits them. --help lists the
command's own options first and then those of its bases, from left to right.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

from frustration.commands.arguments import Parser, run, whole

HOW = "how argparse reads it"
ONE_STUDY = "a study in results/, or its folder"


def option(help: str, default: Any = None, *, flag: str = "", either: str = "", **how: Any) -> Any:
    """A field that is read from a flag: `--name`, unless `flag` says another.

    A flag whose default is False takes no value; one whose default is a tuple takes several. `read` makes a
    value of the text. Of options with the same word in `either` only one can be given. The rest of `how` is
    what `add_argument` of argparse takes: metavar, choices, nargs.
    """
    return _declared(default, help=help, flag=flag, either=either, **how)


def required(help: str, *, flag: str = "", **how: Any) -> Any:
    """An option that has to be given."""
    return _declared(MISSING, help=help, flag=flag, **how)


def argument(help: str, default: Any = MISSING, **how: Any) -> Any:
    """A field that is read from its place in the command line; without a default it has to be given."""
    if isinstance(default, tuple):
        how.setdefault("nargs", "*")
    elif default is not MISSING:
        how.setdefault("nargs", "?")
    return _declared(default, help=help, place=True, **how)


def _declared(default: Any, **how: Any) -> Any:
    return field(default=default, metadata={HOW: how})


@dataclass_transform(kw_only_default=True, frozen_default=True)
@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command has. The docstring of a command's class is its description in --help.

    Every class that inherits from this one is a frozen dataclass, too.
    """

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    command: ClassVar[str]
    """What the user types."""
    heading: ClassVar[str]
    """Above the options that are declared in the same class; those without one come first."""
    usage: ClassVar[str] = ""
    """What follows the command's name in the line of usage, where that is not its arguments and [flags]."""
    epilog: ClassVar[str] = ""
    """The end of --help."""

    debug: bool = option("errors with a traceback", False)

    @classmethod
    def more(cls) -> str:
        """The end of --help, for commands that compute it when it is asked for."""
        return cls.epilog

    @classmethod
    def read(cls, arguments: Sequence[str]) -> Self:
        """The options that a command line gives."""
        given = vars(cls.parser().read(arguments))
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
        return cls(**values)

    def given(self, kind: type) -> dict[str, Any]:
        """The given options that are fields of `kind`, by name."""
        values = {one.name: getattr(self, one.name, None) for one in dataclasses.fields(kind)}
        return {name: v for name, v in values.items() if v is not None and v is not False and v != ()}

    @classmethod
    def parser(cls) -> Parser:
        parser = Parser(cls.command, " ".join((cls.__doc__ or "").split()), cls.more)
        groups: dict[str, Any] = {"": parser}
        places: list[str] = []
        for heading, one in cls._declarations():
            if heading not in groups:
                groups[heading] = parser.add_argument_group(heading)
            how = dict(one.metadata[HOW])
            either = how.pop("either", "")
            if either and either not in groups:
                groups[either] = groups[heading].add_mutually_exclusive_group()
            if how.get("place"):
                places.append(_place(how))
            _add(groups[either or heading], one, how)
        parser.usage = f"{cls.command} {cls.usage or ' '.join([*places, '[flags]'])}"
        return parser

    @classmethod
    def _declarations(cls) -> list[tuple[str, dataclasses.Field[Any]]]:
        """(heading, field), in the order of --help."""
        found: dict[str, tuple[str, dataclasses.Field[Any]]] = {}
        for owner in cls.__mro__[:-1]:
            own = {one.name: one for one in dataclasses.fields(owner)}
            for name in inspect.get_annotations(owner):
                if name in own and name not in found:
                    found[name] = (vars(owner).get("heading", ""), own[name])
        return list(found.values())


Chosen = TypeVar("Chosen", bound=Options)


def command(options: type[Chosen], act: Callable[[Chosen], int]) -> Callable[[Sequence[str] | None], int]:
    """The function of a command: reads the options, calls `act`, returns the exit code."""

    def main(argv: Sequence[str] | None = None) -> int:
        return run(options.command, lambda arguments: act(options.read(arguments)), argv)

    return main


def _place(how: dict[str, Any]) -> str:
    """An argument in the line of usage."""
    number = how.get("nargs", "")
    name = how["metavar"] + (" ..." if number in ("*", "+") else "")
    return f"[{name}]" if number in ("?", "*") else name


def _add(group: argparse._ActionsContainer, one: dataclasses.Field[Any], how: dict[str, Any]) -> None:
    if how.pop("place", False):
        words = [one.name]
    else:
        words = [how.pop("flag") or f"--{one.name.replace('_', '-')}"]
        how["dest"] = one.name
        if one.default is MISSING:
            how["required"] = True
    if "read" in how:
        how["type"] = how.pop("read")
    if one.default is not MISSING:
        how["default"] = one.default
    if one.default is False and "action" not in how:
        how["action"] = "store_true"
    elif isinstance(one.default, tuple):
        how.setdefault("nargs", "+")
    group.add_argument(*words, **how)


class _Widen(argparse.Action):
    """`--wide`: it is about how this command prints, so nothing else needs to know of it."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        from frustration.terminal.table import WIDE

        WIDE.set(True)
        setattr(namespace, self.dest, True)


def wide() -> Any:
    """--wide"""
    return option("print all columns of tables, however narrow the terminal", False, action=_Widen, nargs=0)


def tracker() -> Any:
    """--tracker"""
    return option(
        "also report to a tracker: wandb, mlflow, tensorboard, or one from another package (none)",
        "none",
        metavar="NAME",
    )


def device() -> Any:
    """--device"""
    return option("cpu, cuda or mps (default: the best there is)", metavar="NAME")


def workers() -> Any:
    """--threads, or --workers"""
    return option("worker processes (default: one per CPU)", read=whole(1, 4096), metavar="N")


def stacked() -> Any:
    """--stacked"""
    return option(
        "train several networks of a problem as one, where their steps agree with the plain loop's: "
        "faster for tiny layers and several trials (see docs/any-network.md)",
        False,
    )


class InResults(Options):
    """Where the studies are."""

    results: Path = option("where studies are (results/)", Path("results"), read=Path, metavar="DIR")


class OneStudy(InResults):
    """A study that has to be named."""

    study: str = argument(ONE_STUDY, metavar="NAME")
