"""JSON from files: parsed strictly, field by field, with the types of a table.

Every function raises InputError with one sentence of one line, whatever the content is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

from frustration.errors import InputError

DEPTH = 24
"""How deeply free-form values may be nested: evidence and numerics need five."""
WHOLE = 2**63 - 1
REAL = 1e300


def parse(content: bytes | str) -> Any:
    """The value of a JSON text; NaN, Infinity, five thousand digits and deep nesting are errors."""
    try:
        return _DECODER.decode(content if isinstance(content, str) else content.decode())
    except RecursionError:
        raise InputError("it is nested too deeply") from None
    except ValueError as error:
        raise InputError(f"it is not JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the values of one field may be."""

    name: str
    types: frozenset[type]
    least: float = -math.inf
    most: float = math.inf
    needed: bool = True
    """Whether an object without this field is refused."""

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether all of them are of this kind: whole columns at once, for curves are long."""
        found = set(map(type, values))
        if not found <= self.types:
            return False
        numbers = values if found <= _NUMBERS else [value for value in values if type(value) in _NUMBERS]
        if numbers and not _within(numbers, self.least, self.most):
            return False
        if str in found and not _are_texts([value for value in values if type(value) is str]):
            return False
        return not found & _NESTED or _are_plain([value for value in values if type(value) in _NESTED])

    def accepts(self, value: Any) -> bool:
        """The same of one value."""
        kind = type(value)
        if kind not in self.types:
            return False
        if kind in _NUMBERS:
            return bool(self.least <= value <= self.most)
        if kind is str:
            return value.isascii() or _are_texts([value])
        return kind in (bool, type(None)) or not value or _are_plain([value])

    def optional(self) -> Kind:
        """The same for a field that may be missing."""
        return Kind(name=self.name, types=self.types, least=self.least, most=self.most, needed=False)

    def or_null(self) -> Kind:
        return Kind(
            name=f"{self.name} or null",
            types=self.types | {type(None)},
            least=self.least,
            most=self.most,
            needed=self.needed,
        )


_NUMBERS = frozenset({int, float})
_NESTED = frozenset({dict, list})
FLAG = Kind(name="true or false", types=frozenset({bool}))
TEXT = Kind(name="a text", types=frozenset({str}))
OBJECT = Kind(name="an object of finite values", types=frozenset({dict}))
LIST = Kind(name="a list of finite values", types=frozenset({list}))


def whole(least: int = 0, most: int = WHOLE) -> Kind:
    return Kind(name=f"a whole number of {least} or more", types=frozenset({int}), least=least, most=most)


def real(least: float = -REAL, most: float = REAL) -> Kind:
    """A finite number; a whole one may stand for it."""
    return Kind(name=f"a number from {least:g} to {most:g}", types=_NUMBERS, least=least, most=most)


PERCENT = real(0, 100)

Table = Mapping[str, Kind]


def check(value: Any, table: Table, what: str) -> dict[str, Any]:
    """An object with the fields of the table and no others."""
    if not isinstance(value, dict):
        raise InputError(f"{what} is not an object")
    _check_names(value, table, what)
    for name, kind in table.items():
        if name in value and not kind.accepts(value[name]):
            raise InputError(f"the {name} of {what} is not {kind.name}")
    return value


def check_all(values: Any, table: Table, what: str) -> list[dict[str, Any]]:
    """A list of such objects."""
    if not isinstance(values, list) or not set(map(type, values)) <= {dict}:
        raise InputError(f"{what} is not a list of objects")
    for names, objects in _by_names(values).items():
        _check_names(names, table, what)
        for name, column in zip(names, zip(*map(dict.values, objects), strict=True), strict=True):
            if not table[name].holds(column):
                raise InputError(f"the {name} of {what} is not {table[name].name}")
    return values


def _by_names(objects: list[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Objects with the same names in the same order; as a rule all have them."""
    names = set(map(tuple, objects))
    if len(names) == 1:
        return {names.pop(): objects}
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in objects:
        alike.setdefault(tuple(one), []).append(one)
    return alike


def check_texts(value: Any, what: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not TEXT.holds(value):
        raise InputError(f"{what} is not a list of texts")
    return value


def _check_names(names: Collection[str], table: Table, what: str) -> None:
    if unknown := sorted(set(names) - table.keys()):
        raise InputError(f"{what} has a field {unknown[0][:40]!a} that is not known")
    if len(names) < len(table):
        missing = [name for name, kind in table.items() if kind.needed and name not in names]
        if missing:
            raise InputError(f"{what} has no {missing[0]}")


def _within(numbers: Collection[float], least: float, most: float) -> bool:
    """Whether all are in a range; NaN is in none."""
    total = sum(numbers)
    return bool(least <= min(numbers) and max(numbers) <= most and total == total)


def _are_texts(values: Iterable[str]) -> bool:
    """Whether they can be written again: JSON can hold halves of characters that cannot."""
    joined = "".join(values)
    if joined.isascii():
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_plain(nested: Sequence[Any]) -> bool:
    """Whether every number in these objects and lists is finite and every text can be written.

    Level by level, all values of a level together: the evidence of a long curve is many small objects.
    """
    for _ in range(DEPTH):
        kinds = set(map(type, nested))
        objects = _of(dict, nested, kinds)
        if not _are_texts(chain.from_iterable(objects)):
            return False
        inside = list(chain(*map(dict.values, objects), *_of(list, nested, kinds)))
        kinds = set(map(type, inside))
        for kind, most in ((int, WHOLE), (float, REAL)):
            if kind in kinds and not _within(_of(kind, inside, kinds), -most, most):
                return False
        if not _are_texts(_of(str, inside, kinds)):
            return False
        nested = [*_of(dict, inside, kinds), *_of(list, inside, kinds)]
        if not nested:
            return True
    return False


def _of(kind: type, values: Sequence[Any], kinds: set[type]) -> Sequence[Any]:
    """Those of one kind, of values whose kinds are known."""
    if kind not in kinds:
        return ()
    return values if len(kinds) == 1 else [value for value in values if type(value) is kind]
