#!/usr/bin/env python3
"""Write src/frustration/cloud/wheels.txt: what a training container installs, pinned by poetry.lock.

.venv/bin/python scripts/lock_wheels.py            write it
.venv/bin/python scripts/lock_wheels.py --check    say whether it is what poetry.lock says
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "src" / "frustration" / "cloud" / "wheels.txt"
NEEDED = ("filelock", "numpy", "safetensors")
"""What training imports beyond this package and, where there is no compiler, the image's torch."""
PYTHONS = ("cp311-cp311-", "cp312-cp312-", "cp313-cp313-", "-abi3-")

HEADER = """\
# What a training container installs beside this package; written by scripts/lock_wheels.py from poetry.lock.
# Linux on x86-64, Python 3.11 to 3.13.
"""


def locked() -> str:
    """The requirements with their hashes, as pip reads them."""
    packages = tomllib.loads((ROOT / "poetry.lock").read_text("utf-8"))["package"]
    lines = []
    for name in NEEDED:
        package = next(one for one in packages if one["name"] == name)
        hashes = [one["hash"] for one in package["files"] if _fits(one["file"])]
        lines.append(
            " \\\n    ".join([f"{name}=={package['version']}", *(f"--hash={one}" for one in hashes)])
        )
    return HEADER + "\n".join(lines) + "\n"


def _fits(file: str) -> bool:
    if file.endswith("-none-any.whl"):
        return True
    return "manylinux" in file and "x86_64" in file and any(python in file for python in PYTHONS)


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text("utf-8") == locked():
            return 0
        print(f"{TARGET} is not what poetry.lock says: run scripts/lock_wheels.py", file=sys.stderr)
        return 1
    TARGET.write_text(locked(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
