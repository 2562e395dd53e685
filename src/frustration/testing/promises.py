"""The definition of a promise, the modes that it applies to, and the list of all promises."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from frustration.engine.population import Backend
from frustration.engine.reference import ReferenceBackend
from frustration.modes.ablation import Ablation
from frustration.testing.subject import Subject
from frustration.testing.trials import backends

About = Callable[[Subject], bool]
Check = Callable[[Subject], None]
CheckOn = Callable[[Subject, Backend], None]
Which = Callable[[Backend], bool]


@dataclass(frozen=True)
class Promise:
    """A sentence about modes, the modes that it is about, and what checks it."""

    sentence: str
    about: About
    check: Check


PROMISES: list[Promise] = []
ON_BACKENDS: list[tuple[str, About, CheckOn, Which]] = []


def promise(sentence: str, about: About) -> Callable[[Check], Check]:
    """Decorator: what is checked is promised by the modes that it is about."""

    def keep(check: Check) -> Check:
        PROMISES.append(Promise(sentence, about, check))
        return check

    return keep


def one_by_one_too(backend: Backend) -> bool:
    return True


def side_by_side(backend: Backend) -> bool:
    """Whether it trains several networks at a time."""
    return not isinstance(backend, ReferenceBackend)


def promise_on_backends(
    sentence: str, about: About, which: Which = one_by_one_too
) -> Callable[[CheckOn], CheckOn]:
    """Decorator: the same for what is to hold on each of some backends."""

    def keep(check: CheckOn) -> CheckOn:
        ON_BACKENDS.append((sentence, about, check, which))
        return check

    return keep


def promises() -> Iterator[Promise]:
    """All of them; those about backends once for each that runs here."""
    yield from PROMISES
    for (sentence, about, check, which), backend in itertools.product(ON_BACKENDS, backends()):
        if which(backend):
            yield Promise(f"{sentence} ({backend.name})", about, functools.partial(_checked, check, backend))


def _checked(check: CheckOn, backend: Backend, subject: Subject) -> None:
    check(subject, backend)


def every(subject: Subject) -> bool:
    return True


def dosed(subject: Subject) -> bool:
    return subject.mode.dose_knob is not None


def damaging(subject: Subject) -> bool:
    return subject.mode.damages


def widening(subject: Subject) -> bool:
    return subject.mode.widens


def not_widening(subject: Subject) -> bool:
    return not subject.mode.widens


def in_training(subject: Subject) -> bool:
    return subject.acts_in_training


def only_before_training(subject: Subject) -> bool:
    return not subject.acts_in_training and not subject.mode.widens


def damaging_only(subject: Subject) -> bool:
    return damaging(subject) and only_before_training(subject)


def ablating(subject: Subject) -> bool:
    return issubclass(subject.mode, Ablation)


def composable(subject: Subject) -> bool:
    return subject.name not in ("none", "dropout")
