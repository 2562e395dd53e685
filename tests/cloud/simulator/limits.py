"""A request against the limits that AWS itself publishes, in the service model that botocore carries.

botocore refuses unknown members, wrong types and what is too short. What is too long, does not match its
pattern or is not among the values of its enumeration it sends, and the service refuses it.
"""

import functools
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.model import Shape

CLASSES = {r"\p{L}": "a-zA-Zª-￿", r"\p{Z}": r"\s", r"\p{N}": r"\d"}
"""The model's patterns are Java's; what `re` lacks of them, roughly: letters, blanks, digits."""


def problems(service: str, operation: str, request: Any) -> list[str]:
    """What is wrong with the parameters of a call; empty where the service would take them."""
    return list(_walk(_model(service).operation_model(operation).input_shape, request, operation))


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _walk(shape: Shape, value: Any, at: str) -> Iterator[str]:
    yield from _own(shape, value, at)
    if shape.type_name == "structure":
        yield from (f"{at}.{name}: missing" for name in shape.required_members if name not in value)
        for name, member in value.items():
            if name in shape.members:
                yield from _walk(shape.members[name], member, f"{at}.{name}")
            else:
                yield f"{at}.{name}: unknown"
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _walk(shape.member, member, f"{at}[{number}]")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _walk(shape.key, key, f"{at} key")
            yield from _walk(shape.value, member, f"{at}[{key[:20]}]")


def _own(shape: Shape, value: Any, at: str) -> Iterator[str]:
    """What the limits of this very shape say."""
    limits = shape.metadata
    size = len(value) if isinstance(value, str | list | dict) else value
    if isinstance(size, int | float) and not isinstance(size, bool):
        if size < limits.get("min", size):
            yield f"{at}: {size} is below {limits['min']}"
        if size > limits.get("max", size):
            yield f"{at}: {size} is above {limits['max']}"
    if isinstance(value, str):
        pattern = limits.get("pattern", "")
        for java, ours in CLASSES.items():
            pattern = pattern.replace(java, ours)
        if pattern and not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{at}: {value[:60]!r} does not match {pattern}"
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{at}: {value!r} is none of the values"
