"""What a problem is called: `images:CNN(width=8)`, `my_file.py:Summaries`. Known without being imported.

Trials, records and reports hold references. Only training asks one for its problem.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import sys
import traceback
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from frustration.errors import FrustrationError, InputError, did_you_mean, kind_and_first_line
from frustration.files import read_file
from frustration.metric import Metric

if TYPE_CHECKING:
    from frustration.any_network import Problem
    from frustration.protocols import AnyShape

OWN: Final = "frustration.problems"
MODULES: Final = ("digits", "images", "language", "summaries")
"""Of the problems that come along."""
HELD: Final = "held"
"""The source of a problem that only this process has: of a notebook, say."""
SCRIPT_BYTES: Final = 2**24
"""A file of Python has no more."""
PLAIN: Final = (bool, int, float, str)


class ProblemError(InputError):
    """A problem that cannot be found, made or used."""


class ProblemRaised(ProblemError):
    """A problem whose own code raised; the cause is what it raised."""

    @property
    def traceback(self) -> str:
        """Of the cause, in the problem's own code; its last line is the sentence of this error."""
        cause = self.__cause__
        assert cause is not None
        place = cause.__traceback__
        while place is not None and place.tb_next is not None and _is_ours(place):
            place = place.tb_next
        return "".join([*traceback.format_exception(type(cause), cause, place), str(self)])


def _is_ours(place: types.TracebackType) -> bool:
    """Whether a line of a traceback is of this package, problems that come along left out."""
    module = str(place.tb_frame.f_globals.get("__name__"))
    return module.startswith("frustration.") and not module.startswith(f"{OWN}.")


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """What a user's code raises here becomes one sentence: `what`, the kind of error and what it says."""
    try:
        yield
    except FrustrationError:
        raise
    except Exception as error:  # a user's code may raise whatever it likes
        raise ProblemRaised(f"{what}: {kind_and_first_line(error)}") from error


@dataclass(frozen=True, kw_only=True)
class ProblemReference:
    """A problem by name, version and fields: what a trial of it is identified by, with its data's digest."""

    path: str
    """Where it is imported from: `images:CNN`, `my_file:Summaries`, `package.module:Name`."""
    version: int
    fields: tuple[tuple[str, Any], ...]
    """All of them, defaults included; JSON values."""
    metric: Metric
    label: str = field(compare=False)
    """As a user would write it: fields that differ from their defaults are shown."""
    source: str | None = field(compare=False)
    """The file that it is in; None: an installed module. HELD: only this process has it."""

    def __str__(self) -> str:
        return self.label

    @property
    def safe(self) -> str:
        """The label as a name of a folder."""
        return self.label.translate(_IN_FILE_NAMES)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers of a SimpleMLP: it has none. Reports sort what they show by them."""
        return ()

    @property
    def depth(self) -> int:
        return 0

    @property
    def dataset(self) -> str:
        """What its data is called: after the problem."""
        return self.path.rpartition(":")[2]

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "version": self.version,
            "fields": dict(self.fields),
            "metric": self.metric.to_dict(),
            "label": self.label,
            "source": self.source,
        }

    @property
    def text(self) -> str:
        """What `parse` reads, from any folder."""
        fields = self.label.partition("(")[1:]
        place = self.source if self.source not in (None, HELD) else self.path.rpartition(":")[0]
        return f"{place}:{self.dataset}{''.join(fields)}"

    @property
    def identity(self) -> dict[str, Any]:
        """The parts that can change a result: neither names nor paths."""
        own = {"path": self.path, "version": self.version, "fields": dict(self.fields)}
        return {**own, "better": self.metric.better}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        values = tuple((name, _frozen(value)) for name, value in fields["fields"].items())
        return cls(**{**fields, "fields": values, "metric": Metric.from_dict(fields["metric"])})

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """The reference of a problem object, which exists in this process only."""
        kind = type(problem)
        own = {one.name: _json(one.name, getattr(problem, one.name), kind) for one in _fields(kind)}
        changed = {n: v for n, v in own.items() if repr(v) != repr(_json(n, _default(kind, n), kind))}
        path, source = problem.held_as or where_is(kind)
        shown = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        if problem.precision != "float32":
            own.setdefault("precision", problem.precision)
        reference = cls(
            path=path,
            version=problem.version,
            fields=tuple(own.items()),
            metric=problem.metric,
            label=path + (f"({shown})" if shown else ""),
            source=source,
        )
        _held[_key(reference)] = problem
        return reference

    @classmethod
    def parse(cls, text: str, settings: Mapping[str, str] | None = None, folder: Path = Path()) -> Self:
        """Read `file.py:Class(field=value)`; `settings` are further fields, as text."""
        return cls.of(read_problem(text, settings, folder))

    def problem(self) -> Problem:
        """The problem itself; its module is imported once per process."""
        if _key(self) not in _held:
            if self.source == HELD:
                raise ProblemError(f"the problem {self.label} is known only to the process that made it")
            kind = _class_at(self.source or self.path.partition(":")[0], self.path.partition(":")[2], Path())
            names = {one.name for one in _fields(kind)}
            problem = _made(kind, {n: v for n, v in self.fields if n in names}, self.label)
            again = ProblemReference.of(problem)
            if again.identity != self.identity:
                raise ProblemError(
                    f"the problem {self.label} has changed: its version, fields or metric are not those of "
                    f"the trial ({_difference(self, again)})"
                )
        return _held[_key(self)]

    def shape(self) -> AnyShape:
        """Of its network as it is built."""
        return self.problem().shape()


_IN_FILE_NAMES = str.maketrans({":": ".", "/": "_", "(": "-", ",": "_", **dict.fromkeys(")' =\"", None)})
_held: dict[str, Problem] = {}
"""The problems of this process, by what identifies them."""


def _key(reference: ProblemReference) -> str:
    return repr((reference.path, reference.version, reference.fields))


def is_reference(text: str) -> bool:
    """Whether a text names a problem rather than an architecture."""
    return ":" in text


def read_problem(text: str, settings: Mapping[str, str] | None = None, folder: Path = Path()) -> Problem:
    """The problem of `file.py:Class(field=value)`."""
    place, colon, call = text.strip().rpartition(":") if "(" not in text else _split_call(text)
    name, bracket, arguments = call.partition("(")
    if not colon or not name.isidentifier() or (bracket and not arguments.endswith(")")):
        raise ProblemError(f'problem "{text}" is not written as file.py:Class or module:Class(field=value)')
    given = _arguments(text, arguments[:-1]) if bracket else {}
    kind = _class_at(place, name, folder)
    for key, value in (settings or {}).items():
        given[key] = _literal(value)
    return _made(kind, given, f"{place}:{name}")


def _split_call(text: str) -> tuple[str, str, str]:
    head, _, tail = text.strip().partition("(")
    place, colon, name = head.rpartition(":")
    return place, colon, f"{name}({tail}"


def _arguments(text: str, arguments: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"_({arguments})", mode="eval").body
        assert isinstance(call, ast.Call)
        if call.args or any(keyword.arg is None for keyword in call.keywords):
            raise ValueError("every field is given by its name")
        return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise ProblemError(f'problem "{text}": its fields cannot be read: {error}') from None


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _class_at(place: str, name: str, folder: Path) -> type[Problem]:
    """The class of that name in a file or a module."""
    from frustration.any_network import Problem

    module = _module_at(place, folder)
    kind = getattr(module, name, None)
    if not (isinstance(kind, type) and issubclass(kind, Problem)):
        there = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Problem)]
        known = [n for n in there if n != "Problem" and vars(module)[n].__name__ == n]
        hint = did_you_mean(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise ProblemError(f"{place} has no problem {name}{hint}")
    return kind


def _module_at(place: str, folder: Path) -> types.ModuleType:
    if place.endswith(".py"):
        return _module_of_file(str((folder / place).resolve()), place)
    for module in (f"{OWN}.{place}", place):
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            found = None
        if found is not None:
            try:
                return importlib.import_module(module)
            except ImportError as error:
                raise ProblemError(f"the problem module {place} cannot be imported: {error}") from None
    if (folder / place).exists():
        raise ProblemError(f"{place} is not a Python file; problems are imported from files that end in .py")
    raise ProblemError(
        f'there is no module "{place}" to import a problem from{did_you_mean(place, MODULES)}; a file is '
        f"written as {place}.py:Class, and built-in problems are in {', '.join(MODULES)}"
    )


@functools.cache
def _module_of_file(path: str, shown: str) -> types.ModuleType:
    """The module in a file, imported under a name of its own; what it raises is its author's to read."""
    try:
        read_file(Path(path), most=SCRIPT_BYTES)
    except FileNotFoundError:
        raise ProblemError(f"there is no file {shown} to import a problem from") from None
    except OSError as error:
        raise ProblemError(f"no problem can be imported from {shown}: {error.strerror}") from None
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == path and module.__name__ != "__main__":
            return module
    name = f"frustration_problem_{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(Path(path).parent))  # it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(Path(path).parent))
    return module


def where_is(kind: type[Problem]) -> tuple[str, str | None]:
    """(path, source) of a class of problems."""
    module = sys.modules[kind.__module__]
    file = getattr(module, "__file__", None)
    if "<locals>" in kind.__qualname__ or (kind.__module__ == "__main__" and file is None):
        return f"notebook:{kind.__name__}", HELD
    if kind.__module__ == "__main__":  # importing it again would run the script again
        return f"{Path(str(file)).stem}:{kind.__name__}", HELD
    if kind.__module__.startswith(f"{OWN}."):
        return f"{kind.__module__.removeprefix(f'{OWN}.')}:{kind.__name__}", None
    if kind.__module__.startswith("frustration_problem_"):
        return f"{Path(str(file)).stem}:{kind.__name__}", str(file)
    return f"{kind.__module__}:{kind.__name__}", None if "." in kind.__module__ else str(file)


def _fields(kind: type[Problem]) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(one for one in dataclasses.fields(kind) if one.init)


def _default(kind: type[Problem], name: str) -> Any:
    (one,) = (f for f in _fields(kind) if f.name == name)
    if one.default_factory is not dataclasses.MISSING:
        return one.default_factory()
    return None if one.default is dataclasses.MISSING else one.default


def _made(kind: type[Problem], given: Mapping[str, Any], shown: str) -> Problem:
    """A problem with these fields, each checked against its annotation."""
    known = {one.name: one for one in _fields(kind)}
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in given.items():
        if name not in known:
            hint = did_you_mean(name, known) or f"; it has {', '.join(known) or 'none'}"
            raise ProblemError(f"problem {shown} has no field {name}{hint}")
        values[name] = _typed(shown, name, value, hints.get(name))
    for name, one in known.items():
        missing = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if missing and name not in values:
            raise ProblemError(f"problem {shown} needs its field {name}: {shown}({name}=…)")
    return kind(**values)


def _typed(shown: str, name: str, value: Any, wanted: Any) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if wanted is str and not isinstance(value, str):
        return str(value)
    if wanted in PLAIN and type(value) is not wanted:
        raise ProblemError(f"problem {shown}: {name} is of type {wanted.__name__}, and {value!r} is not")
    return _frozen(value)


def _json(name: str, value: Any, kind: type[Problem]) -> Any:
    """A field's value as JSON has it, tuples for lists; refused where it could not identify a trial."""
    if isinstance(value, (list, tuple)):
        return tuple(_json(name, one, kind) for one in value)
    if value is None or isinstance(value, PLAIN):
        return value
    raise ProblemError(
        f"problem {kind.__name__}: the field {name} is a {type(value).__name__}; fields identify trials, so "
        f"they are numbers, texts, true or false, or lists of these"
    )


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _difference(one: ProblemReference, other: ProblemReference) -> str:
    names = [name for name in ("version", "fields", "metric") if getattr(one, name) != getattr(other, name)]
    return ", ".join(f"{name} {getattr(one, name)} then, {getattr(other, name)} now" for name in names)
