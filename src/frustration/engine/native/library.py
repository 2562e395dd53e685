"""The C interface of the compiled engine, as Python calls it. Python's lock is free during calls."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from frustration.engine.native.build import BuildError, library_path
from frustration.errors import FrustrationError

WEIGHTS, MEANS, SQUARES = range(3)
FORWARD_FUNCTIONS: Final = ("sigmoid", "relu", "tanh", "leaky_relu", "softplus")
"""What dendrites make of their sums; dendrites.h has the same order."""
MAX_RIM: Final = 65_536


class NativeError(FrustrationError):
    """The native engine refused a call, or there is not enough memory for it."""


class Plan(ctypes.Structure):
    """How one network is trained for one epoch; team.h has the same structure."""

    _fields_ = (
        ("steps_before", ctypes.c_int64),
        ("dropout_key", ctypes.c_uint64),
        ("dropout_threshold", ctypes.c_uint64),
        ("learning_rate", ctypes.c_double),
        ("dropout_scale", ctypes.c_float),
        ("decay", ctypes.c_float),
        ("dropout", ctypes.c_int32),
        ("rests", ctypes.c_int32),
    )


_I32, _I64, _HANDLE, _ARRAY = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p
_SIGNATURES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "frustration_error": (ctypes.c_char_p, []),
    "frustration_lanes": (_I32, []),
    "frustration_has_fma": (_I32, []),
    "frustration_has_bf16": (_I32, []),
    "images_new": (_HANDLE, [_ARRAY, _ARRAY, _I64, _I32, _I32, _I32, _ARRAY, _I32]),
    "images_free": (None, [_HANDLE]),
    "team_new": (_HANDLE, [_I32, _I32, _ARRAY, _ARRAY, _I32, _ARRAY, _I32, _ARRAY, _I32, _I64, _I32]),
    "team_free": (None, [_HANDLE]),
    "team_parameters": (_I64, [_HANDLE]),
    "team_read": (None, [_HANDLE, _I32, _ARRAY, _I32]),
    "team_write": (None, [_HANDLE, _I32, _ARRAY, _I32]),
    "team_begin": (_I64, [_HANDLE, _HANDLE, _ARRAY, _I64, _ARRAY]),
    "team_advance": (_I64, [_HANDLE, ctypes.c_double]),
    "team_losses": (None, [_HANDLE, _ARRAY]),
    "team_evaluate": (_I64, [_HANDLE, _HANDLE, _I64, _ARRAY, ctypes.c_double]),
    "dropout_of_ones": (_I32, [_ARRAY, ctypes.c_uint32, ctypes.c_uint32, _I32, _I32, _ARRAY]),
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
            call = getattr(self.calls, name)
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

    def check(self, result: Any) -> Any:
        """The result of a call that may fail: negative or None then."""
        if result is None or result < 0:
            raise NativeError(f"native engine: {self.calls.frustration_error().decode()}")
        return result


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
    def of(cls, images: NDArray[np.uint8], core_above: float) -> Layout:
        """Background is the most common byte; core is what differs from it in more than a share of images."""
        if not images.size:
            return cls(0, np.arange(images.shape[1], dtype=np.int32), images.shape[1])
        counts = np.zeros(256, np.int64)
        for start in range(0, len(images), 1_000):  # bincount makes 8 bytes of each
            counts += np.bincount(images[start : start + 1_000].reshape(-1), minlength=256)
        background = int(counts.argmax())
        lit = (images != background).mean(0)
        core = lit > core_above
        if (~core).sum() > MAX_RIM:
            core[:] = True
        order = np.argsort(~core, kind="stable").astype(np.int32)
        return cls(background, order, int(core.sum()))


class Images:
    """Images and labels as the engine holds them."""

    def __init__(
        self,
        library: Library,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        classes: int,
        layout: Layout,
    ) -> None:
        self.library, self.count = library, len(images)
        images = np.ascontiguousarray(images, np.uint8)
        labels = np.ascontiguousarray(labels, np.int64)
        if images.shape != (self.count, len(layout.order)) or labels.shape != (self.count,):
            raise NativeError(f"native engine: {images.shape} images do not fit {labels.shape} labels")
        self.handle = library.check(
            library.calls.images_new(
                images.ctypes.data,
                labels.ctypes.data,
                self.count,
                len(layout.order),
                classes,
                layout.background,
                layout.order.ctypes.data,
                layout.core,
            )
        )

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.library.calls.images_free(self.handle)


class Team:
    """Networks of one shape that see the same batches. Its methods may be called by one thread at a time."""

    def __init__(
        self,
        library: Library,
        networks: int,
        widths: Sequence[int],
        dendrites: Sequence[int],
        forward_function: str,
        pixel_values: NDArray[np.float32],
        layout: Layout,
        batch_size: int,
        bf16: bool = False,
    ) -> None:
        self.library, self.networks = library, networks
        sizes, counts = np.array(widths, np.int32), np.array(dendrites, np.int32)
        if len(counts) != len(sizes) - 1:
            raise NativeError(
                f"native engine: {len(counts)} numbers of dendrites for {len(sizes) - 1} layers"
            )
        values = np.ascontiguousarray(pixel_values, np.float32)
        if values.shape != (256,):
            raise NativeError(f"native engine: 256 bytes have 256 values, not {values.shape}")
        if len(layout.order) != sizes[0]:
            raise NativeError(f"native engine: {len(layout.order)} pixels are not {sizes[0]} features")
        self.handle = library.check(
            library.calls.team_new(
                networks,
                len(sizes),
                sizes.ctypes.data,
                counts.ctypes.data,
                FORWARD_FUNCTIONS.index(forward_function),
                values.ctypes.data,
                layout.background,
                layout.order.ctypes.data,
                layout.core,
                batch_size,
                bf16,
            )
        )
        self.parameters = int(library.calls.team_parameters(self.handle))

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

    def begin(self, images: Images, order: NDArray[np.int64], plans: Iterable[Plan]) -> int:
        """Prepare an epoch; all moments become 0. Returns its number of steps."""
        array = (Plan * self.networks)(*plans)
        order = np.ascontiguousarray(order, np.int64)
        begin = self.library.calls.team_begin
        result = begin(self.handle, images.handle, order.ctypes.data, len(order), ctypes.addressof(array))
        return int(self.library.check(result))

    def advance(self, seconds: float) -> int:
        """Train for about this long; returns how many steps of the epoch are done."""
        return int(self.library.check(self.library.calls.team_advance(self.handle, seconds)))

    def losses(self, steps: int) -> NDArray[np.float64]:
        """[steps, networks]: the mean loss over the batch of every step."""
        losses = np.empty((steps, self.networks))
        self.library.calls.team_losses(self.handle, losses.ctypes.data)
        return losses

    def evaluate(self, images: Images, first: int, correct: NDArray[np.int64], seconds: float) -> int:
        """Classify from image `first` on for about this long, adding to correct [networks], which becomes
        -1 where outputs are not finite; returns where to go on."""
        evaluate = self.library.calls.team_evaluate
        return int(
            self.library.check(evaluate(self.handle, images.handle, first, correct.ctypes.data, seconds))
        )

    def _check_network(self, network: int) -> None:
        if not 0 <= network < self.networks:
            raise IndexError(f"there is no network {network} in a team of {self.networks}")
