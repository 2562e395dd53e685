"""`shrink` keeps what every mode promises; and what it promises beyond that."""

import numpy as np
import pytest
from shrink import Shrink

from frustration.testing import contract


@pytest.mark.parametrize("claim", contract(Shrink), ids=str)
def test_it_keeps_the_contract(claim):
    claim.check()


def test_all_weights_shrink_alike():
    from frustration.testing.subject import Subject

    before = Subject("shrink").network()
    after, evidence = Subject("shrink").intervention(before, loop=2)
    assert evidence == {"factor": 0.9}
    assert np.array_equal(after.vector, before.vector * np.float32(0.9))
