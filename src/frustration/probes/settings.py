"""What can be measured, at which levels and with how many draws. What is asked for is part of the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from frustration.errors import InputError, did_you_mean

MEASURES: Final = (
    "calibration",
    "knockout",
    "weight_noise",
    "corruptions",
    "representation",
    "memory",
    "latency",
)
DRAWS: Final = 50
NOISE_SHARE: Final = 5
"""Weight noise takes a fifth as many draws: each costs a whole network where a knock-out costs a mask."""

FRACTIONS: Final = tuple(tenth / 10 for tenth in range(11))
SIGMAS: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
SEVERITIES: Final[Mapping[str, tuple[float, ...]]] = {
    "gaussian_noise": (0.1, 0.2, 0.3, 0.4, 0.5),
    "impulse_noise": (0.05, 0.1, 0.2, 0.3, 0.4),
    "shift": (1, 2, 3, 4, 5),
    "blur": (0.5, 1.0, 1.5, 2.0, 3.0),
    "occlusion": (0.2, 0.3, 0.4, 0.5, 0.6),
    "contrast": (0.8, 0.6, 0.4, 0.3, 0.2),
}
"""Standard deviation in units of full brightness; share of pixels; pixels; standard deviation in pixels;
side of a black square as a share of the image's; factor towards the image's mean."""
BINS: Final = 15
BATCHES: Final = (1, 256)
LATENCY_SECONDS: Final = 0.04


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a run of `probe` is asked for."""

    measures: tuple[str, ...] = MEASURES
    draws: int = DRAWS
    images: int | None = None
    """The first so many test images; None: all."""

    @classmethod
    def of(
        cls, what: Iterable[str] | None = None, draws: int | None = None, images: int | None = None
    ) -> Wanted:
        """As a user writes it; an unknown measure is an InputError that names the nearest."""
        named = tuple(name.replace("-", "_") for name in what) if what else MEASURES
        for name in named:
            if name not in MEASURES:
                hint = did_you_mean(name, MEASURES)
                raise InputError(f'"{name}" is no measure{hint}; there are {", ".join(MEASURES)}')
        ordered = tuple(name for name in MEASURES if name in named)
        return cls(measures=ordered, draws=draws or DRAWS, images=images)

    def settings(self, measure: str, test_images: int) -> dict[str, Any]:
        """All that the values of a measure depend on besides the network, as JSON values."""
        some = min(self.images or test_images, test_images)
        noise_draws = -(-self.draws // NOISE_SHARE)
        severities = {name: list(levels) for name, levels in SEVERITIES.items()}
        settings: dict[str, dict[str, Any]] = {
            "calibration": {"images": test_images, "bins": BINS},
            "knockout": {"images": some, "draws": self.draws, "fractions": list(FRACTIONS)},
            "weight_noise": {"images": some, "draws": noise_draws, "sigmas": list(SIGMAS)},
            "corruptions": {"images": some, "severities": severities},
            "representation": {"images": test_images},
            "memory": {"batches": list(BATCHES)},
            "latency": {"batches": list(BATCHES), "seconds": LATENCY_SECONDS, "threads": 1},
        }
        return settings[measure]
