#!/usr/bin/env python3
"""Write scripts/poetry.txt: the private Poetry of scripts/bootstrap, every package pinned by its SHA-256.

.venv/bin/python scripts/lock_poetry.py     write it anew, with the newest versions that fit
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import bootstrap

WANTED = ("poetry>=2.2,<3", "poetry-plugin-pypi-mirror<1", "poetry-plugin-export<2", "pip>=25.1")
PROJECT = """\
[project]
name = "private-poetry"
version = "0"
requires-python = ">=3.11,<3.14"
dependencies = {dependencies}
[tool.poetry]
package-mode = false
"""
HEADER = """\
# The private Poetry of scripts/bootstrap; written by scripts/lock_poetry.py. Python 3.11 to 3.13.
"""


def main() -> int:
    poetry = bootstrap.own_poetry()
    bootstrap.prepare_process()
    bootstrap.use_pips_index()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(PROJECT.format(dependencies=list(WANTED)))
        subprocess.run([poetry, "lock"], cwd=folder, check=True)
        export = [poetry, "export", "--output=poetry.txt"]
        subprocess.run(export, cwd=folder, check=True)
        bootstrap.POETRY.write_text(HEADER + Path(folder, "poetry.txt").read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
