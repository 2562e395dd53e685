import numpy as np
import pytest

from frustration import TrialSpec
from frustration.engine.perforated.available import why_not_library
from frustration.engine.population import Epoch
from frustration.modes import EpochSettings
from frustration.streams import Streams

needs_library = pytest.mark.skipif(why_not_library() is not None, reason=str(why_not_library()))


def epoch_of(spec: TrialSpec, samples: int, loop: int = 1, moments=None) -> Epoch:
    """The epoch of a loop in which nothing is damaged, as the meta-loop plans it."""
    streams = Streams(spec.seed, spec.trial, spec.architecture)
    settings = EpochSettings(learning_rate=spec.learning_rate)
    for mode in spec.program.at(loop).components:
        settings = mode.training(settings)
    return Epoch(
        order=streams.order(loop, samples),
        settings=settings,
        dropout_key=streams.dropout_key(loop),
        moments=moments,
    )


def distance(left, right) -> float:
    return float(np.abs(left.astype(np.float64) - right.astype(np.float64)).max())
