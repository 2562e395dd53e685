"""The page's templates, which escape what they show: names of studies, modes and files are others' text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from frustration.report.formatting import DASH

_CODE: Final = re.compile(r"`([^`]*)`")
_UNSAFE: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})

At = Mapping[str, Mapping[str, int]]
"""What filters know a row by: the attribute (`s`, `a`, `m`) -> the text of a cell -> its index."""


@cache
def asset(name: str) -> str:
    """A template, the style or a script of the page."""
    return resources.files("frustration.report.html").joinpath(name).read_text(encoding="utf-8")


def drawn(template: str, **content: Any) -> Markup:
    """A template filled in; whatever is not Markup is escaped."""
    return Markup(_environment().get_template(template).render(content))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters |= {"marked": marked, "indices": indices, "places": places}
    made.globals["dash"] = DASH
    return made


def marked(sentence: str) -> Markup:
    """A sentence whose names stand in backticks."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(sentence))))


def data(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    said = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return Markup(said.translate(_UNSAFE))


def indices(row: Sequence[str], at: At) -> Iterator[tuple[str, int]]:
    """(attribute, index) of everything that a row is known by."""
    for name, known in at.items():
        index = next((known[cell] for cell in row if cell in known), None)
        if index is not None:
            yield name, index


def places(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"
