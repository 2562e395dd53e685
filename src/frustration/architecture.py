"""Architectures of a SimpleMLP: `"[4*4, 2*8]"` is 4 hidden layers of 4 units, then 2 of 8."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from frustration.errors import InputError

MAX_WIDTH = 65_536
MAX_DEPTH = 4_096
MAX_PARAMETERS = 1_000_000_000
LINEAR = "linear"  # how `[]` is written where brackets are not welcome


class ArchitectureError(InputError):
    """An architecture string that cannot be read, with the segment at fault."""


@dataclass(frozen=True)
class Architecture:
    """The widths of the hidden layers, input side first; no hidden layer is a linear classifier."""

    hidden: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read `[4*4, 2*8]`, `4*4`, `4x4,2x8`, `[]` or `linear`."""
        body = text.strip()
        if body == LINEAR:
            return cls(())
        if body.startswith("[") != body.endswith("]"):
            raise ArchitectureError(f'architecture "{text}": a bracket is missing; write it as "[4*4, 2*8]"')
        bracketed = body.startswith("[")
        body = body[1:-1].strip() if bracketed else body
        if not body:
            if bracketed:
                return cls(())
            raise ArchitectureError(
                'the architecture is empty; write layers as "[4*4, 2*8]", or "[]" for a linear classifier'
            )
        hidden: list[int] = []
        for number, segment in enumerate(body.split(","), start=1):
            hidden += _layers(text, number, segment.strip())
            if len(hidden) > MAX_DEPTH:
                raise _at_fault(text, number, segment, f"makes more than {MAX_DEPTH:,} hidden layers")
        architecture = cls(tuple(hidden))
        if architecture.parameters() > MAX_PARAMETERS:
            raise ArchitectureError(
                f"architecture {architecture} has {architecture.parameters():,} parameters; "
                f"{MAX_PARAMETERS:,} are possible"
            )
        return architecture

    @classmethod
    def of_widths(cls, widths: Iterable[int]) -> Architecture:
        """`of_widths([1024, 512])` is `[1*1024, 1*512]`."""
        return cls.parse("[" + ", ".join(f"1*{width}" for width in widths) + "]")

    def __str__(self) -> str:
        return f"[{', '.join(f'{depth}*{width}' for depth, width in self._segments())}]"

    @property
    def safe(self) -> str:
        """`4x4,2x8`: safe in shells, file names and the parameters of cloud jobs."""
        return ",".join(f"{depth}x{width}" for depth, width in self._segments()) or LINEAR

    @property
    def depth(self) -> int:
        return len(self.hidden)

    def shapes(self, features: int, classes: int) -> list[tuple[int, int]]:
        """(outputs, inputs) of every linear layer, the output layer last."""
        return [(o, i) for i, o in itertools.pairwise((features, *self.hidden, classes))]

    def parameters(self, features: int = 784, classes: int = 10) -> int:
        """Weights and biases of every linear layer."""
        return sum(outputs * (inputs + 1) for outputs, inputs in self.shapes(features, classes))

    def flops(self, features: int = 784, classes: int = 10) -> int:
        """Multiplications and additions of one forward pass of one sample, biases included."""
        return sum(2 * outputs * inputs + outputs for outputs, inputs in self.shapes(features, classes))

    def _segments(self) -> list[tuple[int, int]]:
        return [(len(list(run)), width) for width, run in itertools.groupby(self.hidden)]


def equal_parameter_width(depth: int, parameters: int, features: int = 784, classes: int = 10) -> int:
    """The width W at which `depth*W` comes closest to `parameters`.

    W solves (depth-1) W^2 + (features + classes + depth) W + classes = parameters, rounded.
    """
    a, b, c = depth - 1, features + classes + depth, classes - parameters
    if depth < 1 or c >= 0:
        raise InputError(f"no network of {depth} hidden layers has {parameters:,} parameters")
    root = -c / b if a == 0 else (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
    return max(1, round(root))


def equal_parameter_square(parameters: int, features: int = 784, classes: int = 10) -> int:
    """The W at which the square `W*W` comes closest to `parameters`.

    With as many layers as units, W solves W^3 + (features + classes) W + classes = parameters, rounded.
    """
    p, r = features + classes, parameters - classes
    if r <= 0:
        raise InputError(f"no square network has {parameters:,} parameters")
    root = 2 * math.sqrt(p / 3) * math.sinh(math.asinh(1.5 * r / p * math.sqrt(3 / p)) / 3)  # Cardano's
    return max(1, round(root))


_SEGMENT = re.compile(r"([0-9]+)\s*[*xX]\s*([0-9]+)", re.ASCII)


def _layers(text: str, number: int, segment: str) -> list[int]:
    if not segment:
        raise _at_fault(text, number, segment, "is empty; remove the comma too many")
    match = _SEGMENT.fullmatch(segment)
    if not match:
        raise _at_fault(text, number, segment, 'is not layers*width, as in "4*8" (4 layers of 8 units)')
    depth, width = match.groups()
    for what, digits, limit in (("layers", depth, MAX_DEPTH), ("units", width, MAX_WIDTH)):
        # The length is looked at first: int() of a thousand digits is slow, of five thousand an error.
        if len(digits.lstrip("0")) > 9 or not 1 <= int(digits) <= limit:
            raise _at_fault(
                text, number, segment, f"asks for {digits[:12]} {what}; 1 to {limit:,} are possible"
            )
    return [int(width)] * int(depth)


def _at_fault(text: str, number: int, segment: str, why: str) -> ArchitectureError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return ArchitectureError(f'architecture "{shown}": segment {number}, "{segment.strip()[:40]}", {why}')
