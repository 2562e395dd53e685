"""Whether perforatedai can be used here, in the one version that has been looked into."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from typing import Final

VERSION: Final = "3.2.9"


def why_not_library() -> str | None:
    """One sentence about what is missing; None if nothing is."""
    try:
        installed = importlib.metadata.version("perforatedai")
    except importlib.metadata.PackageNotFoundError:
        return f"perforatedai is not installed: {_how()}; --backend torch or native needs none of it"
    if installed != VERSION:
        return (
            f"perforatedai {installed} is installed, and this backend works with {VERSION} only, because "
            f"names and rules change between versions: pip install --no-deps perforatedai=={VERSION}"
        )
    return None


def _how() -> str:
    """How to install it; that nobody can, where it has no wheel: it has no source distribution either."""
    python, system, machine = sys.version_info[:2], platform.system(), platform.machine()
    if system == "Darwin" or (python < (3, 13) and (system != "Linux" or machine == "x86_64")):
        return f"pip install perforatedai=={VERSION}"
    return f"it has no wheel for Python {python[0]}.{python[1]} on {system} {machine}"
