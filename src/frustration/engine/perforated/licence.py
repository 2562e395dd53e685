"""Licensed Perforated Backpropagation: whether it can be used, and its credentials, which never leave here
but for the environment of the one process that needs them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

EMAIL: Final = "PAIEMAIL"
TOKEN: Final = "PAITOKEN"
HIDDEN: Final = "*"


@dataclass(frozen=True)
class Licence:
    """What perforatedbp asks for. Neither value is ever shown."""

    email: str = field(repr=False)
    token: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        return {EMAIL: self.email, TOKEN: self.token}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token, self.email)


def find_licence(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Licence | str:
    """The licence that this user has, or one sentence about what is missing.

    Variables that are set win over a `.env` file in the folder, which is the one that one works in.
    """
    if importlib.util.find_spec("perforatedbp") is None:
        return "Perforated Backpropagation needs the licensed package perforatedbp, which is not installed"
    given = os.environ if environment is None else environment
    written = _read_dotenv((folder or Path.cwd()) / ".env")
    email, token = (given.get(name) or written.get(name) or "" for name in (EMAIL, TOKEN))
    missing = [name for name, value in ((EMAIL, email), (TOKEN, token)) if not value]
    if missing:
        return (
            f"Perforated Backpropagation needs a licence: {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} set neither in the environment nor in .env"
        )
    return Licence(email, token)


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """The text with every secret blotted out, at equal length."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN * len(secret))
    return text


def redact_files(folder: Path, secrets: tuple[str, ...]) -> None:
    """Blot secrets out of every file below a folder; lengths stay, so that binary files stay readable."""
    hidden = [(secret.encode(), HIDDEN.encode() * len(secret.encode())) for secret in secrets if secret]
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        held = clean = path.read_bytes()
        for secret, blot in hidden:
            clean = clean.replace(secret, blot)
        if clean != held:
            path.write_bytes(clean)


def _read_dotenv(path: Path) -> dict[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return dotenv_values(path)
