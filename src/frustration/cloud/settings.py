"""The user's cloud settings: flags over the environment over `aws/sagemaker/.env`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from frustration.errors import InputError
from frustration.sinks import one_line

ENV_FILE = Path("aws/sagemaker/.env")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""May stand in .env as well; they go to boto3 and nowhere else."""

_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)[0-9]{12}(?![0-9A-Za-z])")
"""Twelve digits by themselves, but not those behind a decimal point."""
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")

KEYS: Mapping[str, tuple[str, str, str]] = {
    "role": ("AWS_SAGEMAKER_ROLE", "--role", "the ARN of the role that SageMaker takes on"),
    "region": ("AWS_REGION", "--region", "such as us-east-1"),
    "bucket": ("S3_BUCKET_NAME", "--bucket", "the S3 bucket"),
    "prefix": ("S3_PREFIX", "--prefix", "the folder in the bucket"),
    "instance_type": ("INSTANCE_TYPE", "--instance-type", "such as ml.c5.4xlarge"),
    "spot": ("USE_SPOT_INSTANCES", "--spot", "true or false"),
    "max_run_seconds": ("MAX_RUN_SECONDS", "--max-run-seconds", "how long one job may train"),
    "max_wait_seconds": (
        "MAX_WAIT_SECONDS",
        "--max-wait-seconds",
        "the same with the wait for spot capacity",
    ),
    "image": ("SAGEMAKER_IMAGE", "--image", "the training image"),
}
"""Field -> (its name in .env and the environment, its flag, what it is)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything about the cloud that a user has to decide."""

    role: str = ""
    region: str = ""
    bucket: str = ""
    prefix: str = "frustration"
    instance_type: str = "ml.c5.4xlarge"
    spot: bool = True
    max_run_seconds: int = 24 * 3600
    max_wait_seconds: int = 48 * 3600
    image: str = ""
    profile: str = ""
    """Of the standard AWS files; AWS_PROFILE."""
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Only those that .env itself holds; others are found by boto3's own chain."""

    @classmethod
    def read(
        cls,
        flags: Mapping[str, Any] | None = None,
        need: Iterable[str] = ("region", "bucket"),
        env_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """The settings, each from the first place that has it: flags, environment, .env, default.

        `flags` are by field; None is no value. `need` names fields that must not be empty: all that are
        missing are named in one error. `env_file`: one that the user names must be there.
        """
        environment = os.environ if environment is None else environment
        in_file = _read_env(env_file)
        found: dict[str, Any] = {}
        for name, (key, flag, _) in KEYS.items():
            given = (flags or {}).get(name)
            if given is not None:
                found[name] = _typed(name, flag, given)
                continue
            for source in (environment, in_file):
                names = (key, "AWS_DEFAULT_REGION") if name == "region" else (key,)
                text = next((source[one].strip() for one in names if source.get(one, "").strip()), "")
                if text:
                    found[name] = _typed(name, key, text)
                    break
        credentials = {key: in_file[key] for key in CREDENTIALS if in_file.get(key)}
        # Keys in the environment are the user's latest word; halves of two pairs must never meet.
        if any(environment.get(key) for key in CREDENTIALS):
            credentials = {}
        profile = environment.get("AWS_PROFILE") or in_file.get("AWS_PROFILE") or ""
        settings = cls(**found, profile=profile, credentials=credentials)
        settings._check(tuple(need), env_file)
        return settings

    def _check(self, need: tuple[str, ...], env_file: Path | None) -> None:
        missing = [f"{KEYS[name][0]} ({KEYS[name][2]})" for name in need if not getattr(self, name)]
        if missing:
            where = env_file or ENV_FILE
            raise InputError(
                f"the cloud settings lack {', '.join(missing)}; write them into {where} "
                f"(aws/sagemaker/.env.example is an example), into the environment, or give the flags"
            )
        if self.spot and self.max_wait_seconds < self.max_run_seconds:
            raise InputError(
                f"MAX_WAIT_SECONDS ({self.max_wait_seconds}) holds MAX_RUN_SECONDS ({self.max_run_seconds}) "
                f"and the wait for spot capacity, so it cannot be less"
            )


def masked(text: str) -> str:
    """The same without account ids: those in ARNs, image addresses and messages of the service."""
    return _ACCOUNT.sub("************", text)


def _read_env(path: Path | None) -> dict[str, str]:
    """The pairs of an .env file; none where there is no file and the user named none."""
    from dotenv import dotenv_values

    if path is None and not ENV_FILE.is_file():
        return {}
    path = path or ENV_FILE
    if not path.is_file():
        raise InputError(f"there is no file {path}; aws/sagemaker/.env.example shows what belongs into it")
    try:
        pairs = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    return {key: value for key, value in pairs.items() if value is not None}


def _typed(name: str, source: str, value: Any) -> Any:
    if name == "spot":
        if isinstance(value, bool):
            return value
        if str(value).lower() in _TRUE + _FALSE:
            return str(value).lower() in _TRUE
        raise InputError(f"{source} must be true or false, not {one_line(value)}")
    if name in ("max_run_seconds", "max_wait_seconds"):
        # 28 days is what CreateTrainingJob takes at most.
        if re.fullmatch("[0-9]{1,9}", str(value)) and 1 <= int(value) <= 28 * 86400:
            return int(value)
        raise InputError(
            f"{source} must be a whole number of seconds from 1 to {28 * 86400}, not {one_line(value)}"
        )
    return str(value).strip("/") if name == "prefix" else str(value)
