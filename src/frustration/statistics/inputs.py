"""Checks of inputs: finite numbers in the shape that the docstring names, else one sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frustration.errors import InputError

Array = NDArray[np.float64]


def numbers(values: ArrayLike, name: str) -> Array:
    """`values` as float64."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not a rectangle of numbers") from error


def finite(values: ArrayLike, name: str, axes: int = 1) -> Array:
    """`values` as float64 with `axes` axes, none of them empty; NaN and infinities are refused."""
    array = numbers(values, name)
    if array.ndim != axes or array.size == 0:
        raise InputError(f"{name}: shape {array.shape}; expected numbers along {axes} axes, none empty")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(map(str, wrong[0]))
        raise InputError(
            f"{name}: {len(wrong)} of {array.size} values are not finite, the first at [{place}]; "
            "leave trials without a result out"
        )
    return array


def fraction(value: float, name: str) -> float:
    """A probability strictly between 0 and 1, such as a significance level."""
    if not 0.0 < value < 1.0:
        raise InputError(f"{name}: {value}; expected a number between 0 and 1")
    return float(value)


def count(value: int, name: str, least: int = 1) -> int:
    if value < least:
        raise InputError(f"{name}: {value}; expected {least} or more")
    return int(value)


def drawn_with(generator: np.random.Generator | None, why: str) -> np.random.Generator:
    """The generator, where one is needed after all."""
    if generator is None:
        raise InputError(f"{why}; pass a numpy.random.Generator")
    return generator
