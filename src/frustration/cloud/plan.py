"""The plan of a study in the cloud: the trials of each pack, one job each. Written once, read by all.

A plan is never changed: names, locks and checkpoints follow from it. A study that grows (more trials, modes,
architectures) gets a further plan for what was added; `CloudPlan` holds all of them together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from frustration.cloud.clients import ABSENT, CloudError, answered, put_new
from frustration.cloud.place import Place
from frustration.errors import InputError
from frustration.spec import TrialSpec
from frustration.study.definition import Study

SCHEMA = 1
GENERATIONS = 999


@dataclass(frozen=True, kw_only=True)
class Pack:
    """The trials of one job."""

    id: str
    trials: tuple[str, ...]
    """Ids of trials."""
    core_seconds: float
    """What the calibration of the planning machine said: seconds of one core of it."""
    wall_seconds: float
    """What follows for the instance that was planned with."""
    generation: int = 1
    """Which plan of the study it stands in."""


@dataclass(frozen=True, kw_only=True)
class CloudPlan:
    """All packs of a study."""

    study: Study
    digests: Mapping[tuple[str, float], str]
    """What the trials' data are, by (data set, training fraction)."""
    packs: tuple[Pack, ...]
    instance_type: str
    """What the hours were planned for; a job may run elsewhere, its work stays the same."""
    generations: int = 1
    """How many objects in S3 this plan was read from."""

    def specs(self) -> list[TrialSpec]:
        """Every trial of the study, in its order; no data is loaded."""
        return list(self.study.specs(self.digests))

    @property
    def pack_of(self) -> dict[str, str]:
        """Trial -> pack."""
        return {trial: pack.id for pack in self.packs for trial in pack.trials}

    def to_json(self) -> str:
        digests = [
            {"dataset": name, "train_fraction": fraction, "digest": digest}
            for (name, fraction), digest in self.digests.items()
        ]
        packs = [
            {
                "id": pack.id,
                "core_seconds": round(pack.core_seconds, 3),
                "wall_seconds": round(pack.wall_seconds, 3),
                "trials": list(pack.trials),
            }
            for pack in self.packs
        ]
        content = {
            "schema": SCHEMA,
            "study": self.study.to_toml(),
            "data": digests,
            "instance_type": self.instance_type,
            "packs": packs,
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> Self:
        """Read one plan; InputError where it is not one, or where its trials have other ids here."""
        try:
            content: dict[str, Any] = json.loads(text)
            if content.get("schema") != SCHEMA:
                raise InputError(f"{source} has schema {content.get('schema')}; this version reads {SCHEMA}")
            plan = cls(
                study=Study.from_toml(content["study"], source),
                digests={
                    (one["dataset"], float(one["train_fraction"])): one["digest"] for one in content["data"]
                },
                packs=tuple(
                    Pack(
                        id=one["id"],
                        trials=tuple(one["trials"]),
                        core_seconds=float(one["core_seconds"]),
                        wall_seconds=float(one["wall_seconds"]),
                    )
                    for one in content["packs"]
                ),
                instance_type=content["instance_type"],
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{source} is not a plan ({error!r})") from None
        plan._check(source)
        return plan

    def of_generation(self, generation: int) -> CloudPlan:
        """The same, its packs knowing where they stand."""
        return replace(self, packs=tuple(replace(pack, generation=generation) for pack in self.packs))

    def joined(self, later: CloudPlan) -> CloudPlan:
        """This plan and the one for what a later growth added."""
        return replace(
            self,
            study=later.study,
            digests={**self.digests, **later.digests},
            packs=self.packs + later.packs,
            generations=self.generations + later.generations,
        )

    def _check(self, source: str) -> None:
        planned = [trial for pack in self.packs for trial in pack.trials]
        unknown = set(planned) - {spec.id for spec in self.specs()}
        if unknown or len(set(planned)) < len(planned):
            raise InputError(
                f"{source} was written by another version of this program: {len(unknown)} of its trials "
                f"have other ids here; use that version, or give the study another name"
            )


def read_plan(s3: Any, place: Place) -> CloudPlan | None:
    """What the launchers agreed on, all growths of it joined; None before the first launch."""
    plan: CloudPlan | None = None
    for generation in range(1, GENERATIONS + 1):
        text = _get(s3, place, place.plan(generation))
        if text is None:
            break
        one = CloudPlan.from_json(text, place.uri(place.plan(generation))).of_generation(generation)
        plan = one if plan is None else plan.joined(one)
    return plan


def write_plan(s3: Any, place: Place, plan: CloudPlan, generation: int) -> bool:
    """Write a plan where there is none; False if another launcher was faster, whose plan then holds."""
    content = plan.to_json().encode()
    return put_new(s3, place.bucket, place.plan(generation), content, ContentType="application/json")


def _get(s3: Any, place: Place, key: str) -> str | None:
    def read() -> bytes:
        content: bytes = s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()
        return content

    body = answered(f"cannot read {place.uri(key)}", read, ABSENT)
    try:
        return None if body is None else body.decode()
    except UnicodeDecodeError:
        raise CloudError(f"{place.uri(key)} is not text") from None
