"""Whether perforatedai can be used here, in the one version that has been looked into."""

from __future__ import annotations

import importlib.metadata
from typing import Final

VERSION: Final = "3.2.9"
INSTALL: Final = "`poetry install` installs it on Python 3.11 and 3.12 where there is a wheel"


def why_not_library() -> str | None:
    """One sentence about what is missing; None if nothing is."""
    try:
        installed = importlib.metadata.version("perforatedai")
    except importlib.metadata.PackageNotFoundError:
        return f"perforatedai is not installed; {INSTALL}, and --backend torch or native needs none of it"
    if installed != VERSION:
        return (
            f"perforatedai {installed} is installed, and this backend works with {VERSION} only, because "
            f"names and rules change between versions: pip install --no-deps perforatedai=={VERSION}"
        )
    return None
