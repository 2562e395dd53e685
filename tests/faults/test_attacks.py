"""Attacks on files with seeds: nothing false is believed, nothing ends in a traceback, nothing hangs.

Small here; FRUSTRATION_ATTACKS=50 makes each of them 50 times as large.
"""

import os

import attack_archives
import attack_checkpoints
import attack_libraries
import attack_records
import pytest

TIMES = int(os.environ.get("FRUSTRATION_ATTACKS", "1"))
ATTACKS = {
    "records": (attack_records, 140),
    "checkpoints": (attack_checkpoints, 150),
    "archives": (attack_archives, 60),
    "libraries": (attack_libraries, 30),
}


@pytest.mark.parametrize("what", ATTACKS)
def test_what_is_false_is_noticed_and_what_is_whole_is_used(what):
    attack, count = ATTACKS[what]
    tally = attack.run(seed=1, count=count * TIMES)
    print(f"{what}: {tally}")
    assert tally.survived, "\n".join([str(tally), *tally.details[:5]])
    assert tally.noticed > tally.tried // 4 or what == "libraries"  # these are compiled again
