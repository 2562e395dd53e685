"""Records and networks from files that nobody vouches for, checked one by one and put into a store.

They are recognized by name and checked by content. A record must have its schema, be finished, consistent
and part of the study. A network must match its digest and its record. What fails is reported with its
reason, and the rest is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from frustration.archive import Member
from frustration.errors import InputError
from frustration.files import StorageError, make_folder, open_file
from frustration.record import TrialRecord
from frustration.record_reading import finished_record, read_failure
from frustration.saved import unpack_lkg
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec
from frustration.study.store import Store

_TRIAL = re.compile(r"(?P<id>[0-9a-f]{16})(?P<kind>\.json|\.failed\.json|\.safetensors)")


@dataclass(kw_only=True)
class Intake:
    """What was found in the files."""

    records: set[str] = field(default_factory=set)
    """Ids of the trials whose records are now in the store."""
    refused: list[str] = field(default_factory=list)
    """A sentence for each file that looked like a result and could not be taken."""


def take(
    found: Iterable[Member], into: Store, belongs: Callable[[TrialSpec], bool], need_networks: bool = False
) -> Intake:
    """Take what is whole of these files into a store that nobody else uses.

    `need_networks`: a record without its network counts as missing, unless no loop gave a network.
    """
    intake = Intake()
    networks: set[str] = set()
    for member in found:
        if not (trial := _TRIAL.fullmatch(member.base)):
            continue
        try:
            if trial["kind"] == ".safetensors":
                _write(into.network_path(trial["id"]), member)
                networks.add(trial["id"])
            elif trial["kind"] == ".json":
                _keep_record(member, into, belongs)
                intake.records.add(trial["id"])
            else:
                content = read_failure(member.content(), trial["id"])
                into.write_failure(trial["id"], content["spec"], content["traceback"])
        except InputError as error:
            intake.refused.append(f"{member.base}: {error}")
    _keep_networks(networks, into, intake)
    for trial_id in sorted(intake.records) if need_networks else ():
        if not into.network_path(trial_id).exists() and into.record(trial_id).bounty is not None:
            into.record_path(trial_id).unlink()
            intake.records.remove(trial_id)
    return intake


def _keep_record(member: Member, into: Store, belongs: Callable[[TrialSpec], bool]) -> None:
    found = finished_record(member.content())
    if member.base != f"{found.spec.id}.json":
        raise InputError(f"it holds the trial {found.spec.id}")
    if not belongs(found.spec):
        raise InputError("it is no trial of this study")
    into.write_record(found.record())


def _keep_networks(networks: set[str], into: Store, intake: Intake) -> None:
    """Only those whose records were taken; which of the two comes first does not matter."""
    for trial_id in sorted(networks):
        path = into.network_path(trial_id)
        why = _network_problem(path, into.record(trial_id)) if trial_id in intake.records else None
        if why:
            intake.refused.append(f"{path.name}: {why}")
        if why or trial_id not in intake.records:
            path.unlink()


def _network_problem(path: Path, record: TrialRecord) -> str | None:
    """Why these are not the weights of that trial."""
    with open_file(path) as file:
        if file.read(9)[8:] != b"{":
            return "not a safetensors file"  # a pickle, say, which is not even looked at
    try:
        saved = unpack_lkg(path)
    except (CheckpointError, InputError) as error:
        return str(error)
    except (KeyError, ValueError, TypeError) as error:
        return f"its description is not one that this program writes ({error!r})"
    return None if saved.is_of(record) else "it is the network of another trial"


def _write(path: Path, member: Member) -> None:
    make_folder(path.parent)
    try:
        with path.open("wb") as file:
            file.writelines(member.chunks())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
