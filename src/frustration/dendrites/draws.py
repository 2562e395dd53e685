"""Initial values of new dendrites: a torch generator, consumed exactly as perforatedai 3.2.9 does.

Every growth draws, for each layer that grows, in the order of the model, a weight and then a bias. Every
return to a saved network draws all its dendrites anew and throws them away, because the library builds
them before it loads them. Numbers depend on the shape of each draw, so shapes are kept to as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from frustration.dendrites.settings import Settings
from frustration.protocols import AnyShape, Vector

if TYPE_CHECKING:
    import torch


USUAL_VECTORS: Final = ("AVX2", "AVX512")
"""CPU capabilities of torch that draw the same numbers (measured); without vectors it draws others."""


def draw_numerics() -> dict[str, str]:
    """What the bits of draws depend on, where it is not the usual."""
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    return {} if capability in USUAL_VECTORS else {"growth": capability}


class GrowthDraws:
    """The growth stream of one trial."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    @classmethod
    def seeded(cls, seed: int) -> Self:
        """As `torch.manual_seed(seed)` leaves torch's own generator; 0 <= seed < 2^63."""
        import torch

        return cls(torch.Generator().manual_seed(seed))

    def dendrite(self, main: Sequence[Vector], settings: Settings) -> list[Vector]:
        """Weight [outputs, inputs] and bias [outputs] of one more dendrite on every unit of a layer.

        `main` is the layer's own weight and bias, or whatever parameters a layer has. Layers are to be asked
        for in the order of the model.
        """
        import torch

        own = [torch.from_numpy(np.ascontiguousarray(part)) for part in main]
        return [drawn.numpy() for drawn in self.parameters(own, settings)]

    def parameters(self, main: Sequence[torch.Tensor], settings: Settings) -> list[torch.Tensor]:
        """The same, of tensors."""
        multiplier = settings.candidate_weight_initialization_multiplier
        scale = _mean_magnitude(main) if settings.candidate_weight_init_by_main else 1.0
        return [self._normal(tuple(part.shape)) * multiplier * scale for part in main]

    def restore(self, shape: AnyShape) -> None:
        """Move on as the library does when it goes back to a network of this shape."""
        self.discard(shape.redrawn())

    def discard(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """Draw parameters of these shapes, and throw them away."""
        for shape in shapes:
            self._normal(shape)

    def to_bytes(self) -> bytes:
        """Where the stream stands, for a checkpoint."""
        return bytes(self._generator.get_state().numpy().tobytes())

    def __reduce__(self) -> tuple[Any, ...]:
        # A trial may travel to another process, and a torch generator takes a way there that wants a secret.
        return GrowthDraws.from_bytes, (self.to_bytes(),)

    @classmethod
    def from_bytes(cls, state: bytes) -> Self:
        import torch

        draws = cls(torch.Generator())
        draws.set_state(state)
        return draws

    def set_state(self, state: bytes) -> None:
        """Move to where `to_bytes` was called."""
        import torch

        self._generator.set_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))

    def _normal(self, shape: tuple[int, ...]) -> torch.Tensor:
        import torch

        return torch.randn(shape, generator=self._generator)


def _mean_magnitude(main: Sequence[torch.Tensor]) -> float:
    """Of a layer's own weights and biases, each summed as the library sums it: in float32, by torch."""
    total = 0.0
    for part in main:
        total += part.detach().abs().sum().item()
    return total / sum(part.numel() for part in main)
