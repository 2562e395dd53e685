"""One error rate for many sentences: contrasts share alpha, and each spends its share on its own members.

A contrast is one treatment against one control; its members are architectures. Every contrast gets an equal
share of alpha. Only a contrast whose members are all rejected hands its share on to the others, so the chance
of any false claim, about any member of any contrast, is at most alpha (a graphical procedure, Bretz et al.
2009; with one member each it is Holm's).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics.inputs import Array, finite


def share_out(within: Sequence[ArrayLike]) -> list[Array]:
    """Adjusted p of each contrast's members (members,) -> the same over all contrasts.

    What comes in must hold within its contrast, as the result of `joint_step_down` or `families.holm` does.
    """
    families = [finite(one, f"p values of contrast {at}") for at, one in enumerate(within)]
    if any(values.min() < 0.0 or values.max() > 1.0 for values in families):
        raise InputError("p values: expected numbers from 0 to 1")
    complete = np.array([values.max() for values in families])
    return [
        _shared(values, np.sort(np.delete(complete, at)), len(families)) for at, values in enumerate(families)
    ]


def _shared(values: Array, others: Array, count: int) -> Array:
    """The least alpha at which each is rejected; `others`: at which p the other contrasts are complete."""
    handed_on = np.arange(count)  # so many others have handed their share on
    reached = np.maximum.accumulate(np.concatenate([[0.0], others * (count - handed_on[:-1])]))
    adjusted = np.maximum(reached[:, None], values[None, :] * (count - handed_on)[:, None])
    return np.asarray(np.minimum(1.0, adjusted.min(axis=0)))
