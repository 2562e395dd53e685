"""The contents of a job's archive, checked member by member and put into a store of their own.

Records and networks are recognized by name and checked by content. A record must have its schema, be
finished, consistent and part of the study. A network must match its digest and its record. What fails is
reported with its reason, and the rest of the archive is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from frustration.cloud.archive import LIMITS, Limits, Member, members
from frustration.errors import InputError
from frustration.files import StorageError, make_folder, open_file
from frustration.original.cloud_forms import (
    COMPREHENSIVE,
    RESULTS,
    OriginalTrial,
    read_comprehensive,
    read_results,
)
from frustration.record import TrialRecord
from frustration.record_reading import finished_record, read_failure
from frustration.saved import unpack_lkg
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec
from frustration.study.store import Store

TEXT_BYTES = 2**26
"""The most that a record or a list of results may have: a record has about 260 bytes a loop."""
_TRIAL = re.compile(r"(?P<id>[0-9a-f]{16})(?P<kind>\.json|\.failed\.json|\.safetensors)")


@dataclass(kw_only=True)
class ArchiveContents:
    """What an archive held."""

    records: set[str] = field(default_factory=set)
    """Ids of the trials whose records are now in the store."""
    failures: set[str] = field(default_factory=set)
    original: list[OriginalTrial] | None = None
    """What the original's files say, where there are any."""
    refused: list[str] = field(default_factory=list)
    """A sentence for each member that looked like a result and could not be taken."""


def unpack(
    path: Path,
    into: Store,
    belongs: Callable[[TrialSpec], bool] = lambda spec: True,
    limits: Limits = LIMITS,
) -> ArchiveContents:
    """Read an archive into a store that nobody else uses; ArchiveError if nothing of it can be taken."""
    return gather(members(path, limits), into, belongs)


def gather(
    found: Iterable[Member], into: Store, belongs: Callable[[TrialSpec], bool] = lambda spec: True
) -> ArchiveContents:
    """Take what is whole of these files."""
    parcel = ArchiveContents()
    texts: dict[str, str] = {}
    networks: set[str] = set()
    for member in found:
        try:
            if member.base in (RESULTS, COMPREHENSIVE):
                texts[member.base] = _text(member)
            elif trial := _TRIAL.fullmatch(member.base):
                if trial["kind"] == ".safetensors":
                    _write(into.network_path(trial["id"]), member)
                    networks.add(trial["id"])
                elif trial["kind"] == ".json":
                    _keep_record(member, into, belongs)
                    parcel.records.add(trial["id"])
                else:
                    _keep_failure(member, trial["id"], into)
                    parcel.failures.add(trial["id"])
        except InputError as error:
            parcel.refused.append(f"{member.base}: {error}")
    _keep_networks(networks, into, parcel)
    _read_original(parcel, texts)
    return parcel


def _keep_record(member: Member, into: Store, belongs: Callable[[TrialSpec], bool]) -> None:
    found = finished_record(_content(member))
    if member.base != f"{found.spec.id}.json":
        raise InputError(f"it holds the trial {found.spec.id}")
    if not belongs(found.spec):
        raise InputError("it is no trial of this study")
    into.write_record(found.record())


def _keep_failure(member: Member, trial_id: str, into: Store) -> None:
    content = read_failure(_content(member), trial_id)
    into.write_failure(trial_id, content["spec"], content["traceback"])


def _keep_networks(networks: set[str], into: Store, parcel: ArchiveContents) -> None:
    """Only those whose records were taken; which of the two comes first in an archive does not matter."""
    for trial_id in sorted(networks):
        path = into.network_path(trial_id)
        why = _network_problem(path, into.record(trial_id)) if trial_id in parcel.records else None
        if why:
            parcel.refused.append(f"{path.name}: {why}")
        if why or trial_id not in parcel.records:
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
    of_file = (saved.dataset, saved.seed, saved.trial_number, saved.bounty, saved.bounty_loop)
    spec = record.spec
    if of_file != (spec.dataset, spec.seed, spec.trial, record.bounty, record.bounty_loop):
        return "it is the network of another trial"
    return None


def _read_original(parcel: ArchiveContents, texts: dict[str, str]) -> None:
    """The fuller of the two files, if it can be used; a file that cannot is named."""
    for name, read in ((COMPREHENSIVE, read_comprehensive), (RESULTS, read_results)):
        if name not in texts:
            continue
        try:
            found = read(texts[name], name)
        except InputError as error:
            parcel.refused.append(str(error))
            continue
        if parcel.original is None:
            parcel.original = found
        elif len(found) != len(parcel.original):
            parcel.refused.append(f"{name} has {len(found)} trials, {COMPREHENSIVE} {len(parcel.original)}")


def _write(path: Path, member: Member) -> None:
    make_folder(path.parent)
    try:
        with path.open("wb") as file:
            file.writelines(member.chunks())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _text(member: Member) -> str:
    try:
        return _content(member).decode()
    except UnicodeDecodeError:
        raise InputError("it is not text in UTF-8") from None


def _content(member: Member) -> bytes:
    if member.size > TEXT_BYTES:
        raise InputError(f"it has {member.size:,} bytes; {TEXT_BYTES:,} are allowed")
    return member.content()
