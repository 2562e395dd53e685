"""Before anything is trained it is said whether a schedule of growth will have loops enough to act."""

import pytest

from frustration.engine.growth.outlook import outlook
from frustration.testing.trials import spec_of, trained


def spec(mode: str, loops: int, **fields):
    return spec_of(
        "[1*12]", mode, **{"meta_loops": loops, "learning_rate": 1e-3, "batch_size": 256, **fields}
    )


@pytest.mark.parametrize(
    "mode, loops, words",
    [
        ("dendrites", 12, "cannot act before loop 12"),
        ("dendrites", 20, "may act late or never at learning rate 0.001, and there are 20 loops"),
        ("dendrites", 100, None),
        ("early-stop", 20, "may act late or never at learning rate 0.001, and there are 20 loops"),
        ("hidden", 3, None),
        ("dendrites:switch_mode=none", 3, None),
        ("dendrites@1-12,hidden@13-", 100, "its loops end with 12"),
        ("hidden@1-95,dendrites@96-", 100, "cannot act before loop 107"),
        ("hidden@1-40,dendrites@41-", 100, None),
        ("ratchet+dendrites", 12, None),
        ("ratchet+dendrites", 11, "cannot act before loop 11"),
    ],
)
def test_too_few_loops_for_a_schedule_are_warned_about(mode, loops, words):
    said = outlook(spec(mode, loops))
    assert said is None if words is None else words in (said or "")


def test_the_prediction_counts_global_loops():
    assert "cannot act before loop 52" in (outlook(spec("hidden@1-40,dendrites@41-", 52)) or "")
    assert outlook(spec("hidden@1-40,dendrites@41-", 53)) is None


def test_with_the_ratchet_nothing_grows_earlier_than_said(data):
    grown = trained([spec("ratchet+dendrites:n_epochs_to_switch=2", 12, learning_rate=3.0)], data)[0]
    attempts = grown.record().growth["attempts"]
    assert attempts
    assert attempts[0]["loop"] >= 3
    assert "cannot act before loop 3," in (
        outlook(spec("ratchet+dendrites:n_epochs_to_switch=2", 3, learning_rate=3.0)) or ""
    )


def test_what_one_network_did_is_an_example_and_no_forecast():
    """`[1*32]` is the only network that was measured: another one grew within 25 loops, at 0.001."""
    said = outlook(spec("dendrites", 25)) or ""
    assert "will" not in said
    assert "[1*32] first grew after 27 to 42 loops" in said
    assert "other networks sooner or later" in said
