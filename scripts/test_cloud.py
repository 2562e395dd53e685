#!/usr/bin/env python3
"""`make test-cloud`: jobs as real processes, and the entry under AWS's own toolkit.

The toolkit wants older libraries than this project does, so it gets an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bootstrap" / "toolkit"
TOOLKIT = "sagemaker-training==5.1.4"


def toolkit() -> Path | None:
    """Its `train`; None where it cannot be installed, and then its tests say that they did not run."""
    train = HOME / "bin" / "train"
    if not train.exists():
        print(f"installing {TOOLKIT} into {HOME.relative_to(ROOT)}", flush=True)
        venv.create(HOME, with_pip=True, clear=True)
        words = [HOME / "bin" / "python", "-m", "pip", "install", "--quiet", TOOLKIT]
        if subprocess.run(words).returncode:
            print(f"{TOOLKIT} could not be installed: its tests are skipped", file=sys.stderr)
            return None
    return train


def main() -> int:
    train = toolkit()
    environment = dict(os.environ) | ({"FRUSTRATION_TOOLKIT": str(train)} if train else {})
    words = [sys.executable, "-m", "pytest", "-m", "cloud", "tests/cloud", "--numprocesses", "2"]
    return subprocess.run([*words, *sys.argv[1:]], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
