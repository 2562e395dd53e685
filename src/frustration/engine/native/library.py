"""The C interface of the compiled engine, as Python calls it. Python's lock is free during calls."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.dataset.split import Samples
from frustration.dendrites.settings import FORWARD_FUNCTIONS
from frustration.engine.native.build import BuildError, library_path
from frustration.errors import FrustrationError
from frustration.network import Shape

WEIGHTS, MEANS, SQUARES = range(3)
MAX_RIM: Final = 65_536
MOST: Final = 1 << 24
"""Rows of a layer, samples of a batch."""
TURN: Final = 0.1
"""Seconds after which the engine comes back to look for an interrupt."""
CHUNK: Final = 1_000
"""Images looked at together."""


class NativeError(FrustrationError):
    """The native engine refused a call, or there is not enough memory for it."""


class NetworkPlan(ctypes.Structure):
    """How one network is trained for one epoch; team.h has the same structure."""

    _fields_ = (
        ("steps_before", ctypes.c_int64),
        ("dropout_key", ctypes.c_uint64),
        ("dropout_threshold", ctypes.c_uint64),
        ("dropout_scale", ctypes.c_float),
        ("learning_rate", ctypes.c_double),
        ("decay", ctypes.c_float),
        ("drops", ctypes.c_int32),
        ("rests", ctypes.c_int32),
    )


class _Epoch(ctypes.Structure):
    """An epoch of a team; team.h has the same structure."""

    _fields_ = (
        ("images", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("samples", ctypes.c_int64),
        ("plans", ctypes.c_void_p),
        ("losses", ctypes.c_void_p),
    )


class _Pixels(ctypes.Structure):
    """What pixels are worth and in which order they are looked at; images.h has the same structure."""

    _fields_ = (
        ("features", ctypes.c_int32),
        ("core", ctypes.c_int32),
        ("background", ctypes.c_int32),
        ("offset", ctypes.c_float),
        ("step", ctypes.c_float),
        ("order", ctypes.c_void_p),
    )


class _Images(ctypes.Structure):
    """Images sorted into core and rim; images.h has the same structure."""

    _fields_ = (
        ("count", ctypes.c_int64),
        ("labels", ctypes.c_void_p),
        ("core", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("rim", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
    )


_I32, _I64, _SECONDS, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
_SIGNATURES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "frustration_lanes": (_I32, []),
    "frustration_has_fma": (_I32, []),
    "frustration_has_bf16": (_I32, []),
    "team_new": (_POINTER, [_I32, _I32, _POINTER, _POINTER, _I32, _POINTER, _I64, _I32]),
    "team_free": (None, [_POINTER]),
    "team_read": (None, [_POINTER, _I32, _POINTER, _I32]),
    "team_write": (None, [_POINTER, _I32, _POINTER, _I32]),
    "team_forget_moments": (None, [_POINTER]),
    "team_advance": (_I64, [_POINTER, _POINTER, _I64, _SECONDS]),
    "team_evaluate": (_I64, [_POINTER, _POINTER, _I64, _POINTER, _SECONDS]),
}


class Library:
    """A compiled engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.calls: Any = ctypes.CDLL(str(path))
        except OSError as error:
            raise BuildError(f"the native engine cannot be loaded: {error}") from None
        for name, (result, arguments) in _SIGNATURES.items():
            call = getattr(self.calls, name, None)
            if call is None:
                raise BuildError(f"the native engine cannot be loaded: {path} has no function {name}")
            call.restype, call.argtypes = result, arguments

    @property
    def lanes(self) -> int:
        """How many float32 numbers its vectors have: 16 on AVX-512, 8 on AVX2, 4 on NEON."""
        return int(self.calls.frustration_lanes())

    @property
    def has_fma(self) -> bool:
        """Whether sums are fused, as on every CPU of the last ten years; if not, last bits differ."""
        return bool(self.calls.frustration_has_fma())

    @property
    def has_bf16(self) -> bool:
        """Whether the CPU multiplies bfloat16 itself; if not, the same bits take longer."""
        return bool(self.calls.frustration_has_bf16())


@functools.cache
def this_cpu() -> Library:
    """The engine for this CPU; raises BuildError where there cannot be one."""
    return Library(library_path())


@dataclass(frozen=True, eq=False)
class Layout:
    """How pixels are looked at. `order` [features] int32 names the core's, which most images light, first."""

    background: int
    order: NDArray[np.int32]
    core: int

    @classmethod
    def of(cls, images: Samples, core_above: float) -> Layout:
        """Background is the most common byte; core is what differs from it in more than a share of images.

        Samples that are numbers are all core, in their own order.
        """
        if not images.size or images.dtype == np.float32:
            return cls(0, np.arange(images.shape[1], dtype=np.int32), images.shape[1])
        counts = np.zeros(256, np.int64)
        for chunk in _chunks(images):  # bincount makes 8 bytes of each
            counts += np.bincount(chunk.reshape(-1), minlength=256)
        background = int(counts.argmax())
        lit = (images != background).mean(0)
        core = lit > core_above
        if (~core).sum() > MAX_RIM:
            core[:] = True
        order = np.argsort(~core, kind="stable").astype(np.int32)
        return cls(background, order, int(core.sum()))

    def pixels(self, values: NDArray[np.float32] | None) -> _Pixels:
        """With the values of the 256 bytes, which must rise evenly: offset + (byte - background) * step.

        None: samples are numbers, and have no offset.
        """
        if values is None:
            return _Pixels(len(self.order), self.core, 0, 0.0, 1.0, self.order.ctypes.data)
        if values.shape != (256,):
            raise NativeError(f"native engine: 256 bytes have 256 values, not {values.shape}")
        offset = np.float32(values[self.background])
        step = np.float32((np.float64(values[255]) - np.float64(values[0])) / 255)
        above = (np.arange(256) - self.background).astype(np.float32) * step
        off = np.abs(np.float64(offset) + above - values)
        if not (off <= 1e-6 * (np.abs(values) + np.abs(offset))).all():
            raise NativeError("native engine: pixel values must rise evenly from byte to byte")
        return _Pixels(
            len(self.order), self.core, self.background, float(offset), float(step), self.order.ctypes.data
        )


def _chunks(images: Samples) -> Iterator[Samples]:
    return (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))


class Images:
    """Samples and labels as the engine holds them.

    Of images, all bytes of the core and those of the rim that are not background; of numbers, all of them.
    """

    def __init__(self, images: Samples, labels: NDArray[np.int64], classes: int, layout: Layout) -> None:
        self.count = len(images)
        if images.shape != (self.count, len(layout.order)) or labels.shape != (self.count,):
            raise NativeError(f"native engine: {images.shape} images do not fit {labels.shape} labels")
        if ((labels < 0) | (labels >= classes)).any():
            raise NativeError("native engine: a label is not one of the classes")
        if len(layout.order) - layout.core > MAX_RIM:
            raise NativeError(f"native engine: the rim has at most {MAX_RIM} pixels")
        if images.dtype == np.float32:
            start, values = np.zeros(self.count + 1, np.int64), np.ascontiguousarray(images)
            self._arrays: tuple[NDArray[Any], ...] = labels.astype(np.int32), start, values
            of_labels, of_start, of_values = (array.ctypes.data for array in self._arrays)
            self.fields = _Images(self.count, of_labels, None, of_start, None, of_values)
            return
        of_core, of_rim = np.split(layout.order, [layout.core])
        start, rim = np.zeros(self.count + 1, np.int64), [np.empty((0, 2), np.uint16)]
        for number, chunk in enumerate(_chunks(images)):
            rows, pixels = np.nonzero(chunk[:, of_rim] != layout.background)
            rim.append(np.stack([pixels, chunk[rows, of_rim[pixels]]], axis=1).astype(np.uint16))
            start[1 + number * CHUNK :][: len(chunk)] = np.bincount(rows, minlength=len(chunk))
        core = np.ascontiguousarray(images[:, of_core], np.uint8)
        self._arrays = labels.astype(np.int32), core, start.cumsum(), np.concatenate(rim)
        self.fields = _Images(self.count, *(array.ctypes.data for array in self._arrays), None)


class Team:
    """Networks of one shape that see the same batches. Its methods may be called by one thread at a time."""

    def __init__(
        self,
        library: Library,
        networks: int,
        widths: Sequence[int],
        dendrites: Sequence[int],
        forward_function: str,
        pixel_values: NDArray[np.float32] | None,
        layout: Layout,
        batch_size: int,
        bf16: bool = False,
    ) -> None:
        self.library, self.networks = library, networks
        if len(dendrites) != len(widths) - 1:
            raise NativeError(
                f"native engine: {len(dendrites)} numbers of dendrites for {len(widths) - 1} layers"
            )
        if len(layout.order) != widths[0]:
            raise NativeError(f"native engine: {len(layout.order)} pixels are not {widths[0]} features")
        if networks < 1 or min(widths) < 1 or not 1 <= batch_size <= MOST:
            raise NativeError("native engine: networks, units and a batch of 1 to 2^24 samples are needed")
        if min(dendrites) < 0 or any(
            (count + 1) * width > MOST for count, width in zip(dendrites, widths[1:], strict=True)
        ):
            raise NativeError("native engine: a layer has at most 2^24 rows, and no fewer than 0 dendrites")
        pixels = layout.pixels(pixel_values)
        self.handle = library.calls.team_new(
            networks,
            len(dendrites),
            (ctypes.c_int32 * len(widths))(*widths),
            (ctypes.c_int32 * len(dendrites))(*dendrites),
            FORWARD_FUNCTIONS.index(forward_function),
            ctypes.byref(pixels),
            batch_size,
            bf16,
        )
        if not self.handle:
            raise NativeError(
                "native engine: not enough memory; fewer threads, a smaller batch or smaller networks "
                "need less"
            )
        self.batch_size = batch_size
        features, *hidden, classes = widths
        self.parameters = Shape(Architecture(tuple(hidden)), features, classes, tuple(dendrites)).size

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.library.calls.team_free(self.handle)

    def read(self, network: int, which: int) -> NDArray[np.float32]:
        """WEIGHTS, MEANS or SQUARES of one network, flat."""
        self._check_network(network)
        flat = np.empty(self.parameters, np.float32)
        self.library.calls.team_read(self.handle, network, flat.ctypes.data, which)
        return flat

    def write(self, network: int, flat: NDArray[np.float32], which: int) -> None:
        self._check_network(network)
        flat = np.ascontiguousarray(flat, np.float32)
        if flat.shape != (self.parameters,):
            raise NativeError(f"native engine: a network has {self.parameters} parameters, not {flat.shape}")
        self.library.calls.team_write(self.handle, network, flat.ctypes.data, which)

    def forget_moments(self) -> None:
        """AdamW has no moments of any network."""
        self.library.calls.team_forget_moments(self.handle)

    def train(
        self,
        images: Images,
        order: NDArray[np.int64],
        plans: Iterable[NetworkPlan],
        pause: Callable[[], None],
    ) -> NDArray[np.float64]:
        """One epoch; [steps, networks]: the mean loss over the batch of every step. `pause` is called ten
        times a second, and may end it by an exception."""
        order = np.ascontiguousarray(order, np.int64)
        if order.size and not 0 <= order.min() <= order.max() < images.count:
            raise NativeError("native engine: the order names a sample that is not there")
        losses = np.zeros((-(-len(order) // self.batch_size), self.networks))
        array = (NetworkPlan * self.networks)(*plans)
        epoch = _Epoch(
            ctypes.addressof(images.fields),
            order.ctypes.data,
            len(order),
            ctypes.addressof(array),
            losses.ctypes.data,
        )
        advance, done = self.library.calls.team_advance, 0
        while done < len(losses):
            pause()
            done = advance(self.handle, ctypes.byref(epoch), done, TURN)
        return losses

    def evaluate(
        self, images: Images, wanted: Sequence[bool], pause: Callable[[], None]
    ) -> NDArray[np.int64]:
        """How many images every network classifies correctly; -1 where its outputs are not finite, and of
        networks that are not wanted. `pause` as in `train`."""
        correct = np.where(wanted, np.int64(0), np.int64(-1))
        evaluate, fields, done = self.library.calls.team_evaluate, ctypes.byref(images.fields), 0
        while done < images.count and (correct >= 0).any():
            pause()
            done = evaluate(self.handle, fields, done, correct.ctypes.data, TURN)
        return correct

    def _check_network(self, network: int) -> None:
        if not 0 <= network < self.networks:
            raise IndexError(f"there is no network {network} in a team of {self.networks}")
