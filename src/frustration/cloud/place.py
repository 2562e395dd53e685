"""The keys of a study in S3 and the names of its jobs. docs/sagemaker.md draws it.

Everything of one study is under one prefix, so that sizes can be added up and all of it removed. Code and
data are kept once for all studies, under digests of their content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from frustration.cloud.settings import Settings

SLUG = 30
"""Letters of a study's name that a job's name has room for, out of 63."""


@dataclass(frozen=True)
class Place:
    """The keys of one study: all of them without `s3://BUCKET/`."""

    bucket: str
    prefix: str
    study: str

    @classmethod
    def of(cls, settings: Settings, study: str) -> Place:
        return cls(settings.bucket, settings.prefix, study)

    @property
    def root(self) -> str:
        """What belongs to this study alone; ends with "/", so that no other study's keys begin with it."""
        return f"{self._under}studies/{self.study}/"

    def plan(self, generation: int = 1) -> str:
        """The first plan of a study, or one for what a later growth of it added."""
        return f"{self.root}plan.json" if generation == 1 else f"{self.root}plan-{generation:03d}.json"

    def checkpoints(self, work: str) -> str:
        """What SageMaker copies from and to /opt/ml/checkpoints; `work` is a pack, or a rerun of one."""
        return f"{self.root}checkpoints/{work}/"

    @property
    def output(self) -> str:
        """S3OutputPath of every job."""
        return f"{self.root}output"

    def archive(self, job: str) -> str:
        """The model.tar.gz of a job."""
        return f"{self.output}/{job}/output/model.tar.gz"

    def code(self, digest: str) -> str:
        return f"{self._under}code/{digest}/"

    def data(self, digest: str) -> str:
        return f"{self._under}data/{digest}/"

    @property
    def job_prefix(self) -> str:
        """How the names of this study's jobs begin; names are account-wide and take no "." or "_"."""
        slug = re.sub(r"[^A-Za-z0-9]+", "-", self.study).strip("-")[:SLUG].strip("-")
        return f"fe-{slug or 'study'}-"

    def pack_id(self, trials: Iterable[str]) -> str:
        """10 hexadecimal digits of the work and of where its results go.

        A job's name is a lock within the whole account: the same trials for another bucket are other work.
        """
        words = [self.bucket, self.prefix, self.study, *sorted(trials)]
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:10]

    def job_name(self, pack: str, attempt: int) -> str:
        return f"{self.job_prefix}{pack}-a{attempt:02d}"

    def uri(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    @property
    def _under(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""
