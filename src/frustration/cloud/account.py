"""The user's AWS account: connections, made on first use, and its studies."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from frustration.cloud.clients import bucket_remarks, client
from frustration.cloud.download import folders
from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, read_plan
from frustration.cloud.settings import Settings
from frustration.errors import InputError, did_you_mean


@dataclass(kw_only=True)
class Cloud:
    """The user's account with its studies: connections are made when they are needed."""

    settings: Settings

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    def _client(self, service: str) -> Any:
        return client(self.settings, service)

    def say_remarks(self) -> None:
        """What is to be known about the bucket, on stderr."""
        for remark in bucket_remarks(self.s3, self.settings):
            print(f"note: {remark}", file=sys.stderr)

    @property
    def under(self) -> str:
        """The prefix of all keys."""
        return f"{self.settings.prefix}/" if self.settings.prefix else ""

    @property
    def where(self) -> str:
        return f"s3://{self.settings.bucket}/{self.settings.prefix}".rstrip("/")

    def studies(self) -> list[str]:
        """The names of the studies that are under the prefix."""
        return sorted(folders(self.s3, self.settings.bucket, f"{self.under}studies/"))

    def only_study(self) -> str | None:
        """The name of the study under the prefix, None where there is none."""
        there = self.studies()
        if len(there) > 1:
            raise InputError(
                f"{len(there)} studies are in {self.where}: {', '.join(there)}; name one of them"
            )
        return there[0] if there else None

    def place(self, study: str | None) -> Place:
        """The place of the named study, or of the only one."""
        name = study or self.only_study()
        if name is None:
            raise InputError(f"no study was launched to {self.where}; sagemaker-launch STUDY launches one")
        return Place.of(self.settings, name)

    def plan(self, place: Place) -> CloudPlan:
        """What the launchers of a study agreed on."""
        plan = read_plan(self.s3, place)
        if plan is None:
            there = self.studies()
            known = f"there are {', '.join(there)}" if there else "there is none"
            hint = did_you_mean(place.study, there)
            raise InputError(f"no study {place.study} was launched to {place.uri(place.root)}{hint}; {known}")
        return plan
