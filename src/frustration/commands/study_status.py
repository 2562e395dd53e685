"""`study status`: the state of a study, in sentences or in the view of `study run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import INTERRUPTED
from frustration.errors import last_line
from frustration.terminal.printing import say_all

if TYPE_CHECKING:
    from frustration.study.store import Store

STATES = {"failed": "failed", "begun": "begun", "groups_at_work": "groups being trained now"}


def state(store: Store) -> dict[str, Any]:
    """Where a study stands; of damaged records and trials of other studies, stderr has a sentence each."""
    from frustration.terminal.study_tables import own_lines

    failed = store.ids()[1]
    causes: dict[str, int] = {}
    for failure in store.failures():
        cause = last_line(failure["traceback"])
        causes[cause] = causes.get(cause, 0) + 1
    study = store.study()
    done = own_lines(study, store)
    return {
        "study": study.name,
        "trials": study.size,
        "done": len(done),
        "failed": len(failed),
        "begun": len(store.begun()),
        "groups_at_work": store.at_work(),
        "causes": causes,
        "folder": str(store.root),
    }


def sentences(states: Iterable[Mapping[str, Any]]) -> str:
    """One line for every study, and below it one for every cause of failures."""
    lines = []
    for one in states:
        words = [f"{one['study']}: {one['done']:,} of {one['trials']:,} trials done"]
        words += [f"{one[what]:,} {said}" for what, said in STATES.items() if one[what]]
        lines.append(", ".join(words))
        lines += [f"  {count:,} failed: {cause}" for cause, count in one["causes"].items()]
    return "".join(f"{line}\n" for line in lines)


def look_on(store: Store) -> int:
    """`status NAME --live`: until the study is over, or Ctrl-C; returns the exit code."""
    from frustration.runners.stopping import Stopper

    with Stopper() as stopper:
        from frustration.terminal.study import Onlooker, StudyShow, results
        from frustration.terminal.view import view_of

        onlooker, view = Onlooker(store), view_of(StudyShow(store, {}), stopper.event)
        stopper.training_begins()
        try:
            onlooker.follow(view, stopper.event)
        finally:
            view.close()
    if onlooker.over:
        say_all("", *results(store))
    return INTERRUPTED if stopper.event.is_set() else 0
