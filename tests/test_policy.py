"""The two choices beside the mode, as they are written. What they do is in test_meta_loop.py."""

import pytest

from frustration import InputError
from frustration.policy import OPTIMIZERS, Acceptance, optimizer_policy


@pytest.mark.parametrize(
    "text, acceptance",
    [
        ("strict", Acceptance("strict")),
        ("ties", Acceptance("ties")),
        ("patience(5)", Acceptance("patience", 5)),
        ("patience-5", Acceptance("patience", 5)),
    ],
)
def test_acceptances_are_read_and_written(text, acceptance):
    assert Acceptance.parse(text) == acceptance
    assert Acceptance.parse(str(acceptance)) == acceptance


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Strict",
        "patience",
        "patience(0)",
        "patience-0",
        "patience(-1)",
        "patience(2",
        "patience-٣",
        "ties(2)",
    ],
)
def test_other_acceptances_are_refused_in_one_sentence(text):
    with pytest.raises(InputError, match="is not one of strict, ties, patience"):
        Acceptance.parse(text)


def test_optimizers_are_three():
    assert [optimizer_policy(name) for name in OPTIMIZERS] == ["fresh", "persist", "persist-masked"]
    with pytest.raises(InputError, match='optimizer "sgd" is not one of fresh, persist, persist-masked'):
        optimizer_policy("sgd")


def test_accepting_compares_with_the_base():
    strict, ties, patience = Acceptance(), Acceptance("ties"), Acceptance("patience", 3)
    assert [rule.accepts(50, 50) for rule in (strict, ties, patience)] == [False, True, False]
    assert [rule.accepts(51, 50) for rule in (strict, ties, patience)] == [True, True, True]
    assert [rule.accepts(49, 50) for rule in (strict, ties, patience)] == [False, False, False]
    assert [rule.accepts(0, None) for rule in (strict, ties, patience)] == [True, True, True]
