"""What the wheel will carry. `make test-wheel` builds it, installs it and runs it from there."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MNIST = ROOT / "dataset" / "mnist"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SCRIPTS = PYPROJECT["project"]["scripts"]


def test_mnist_is_what_its_notice_says_bit_for_bit() -> None:
    promised = dict(re.findall(r"\| `([\w-]+)` \| `([0-9a-f]{64})` \|", (MNIST / "NOTICE.md").read_text()))
    found = {f.stem: hashlib.sha256(gzip.decompress(f.read_bytes())).hexdigest() for f in MNIST.glob("*.gz")}
    assert len(found) == 4
    assert found == promised


def test_the_wheel_takes_every_file_of_mnist() -> None:
    packages = PYPROJECT["tool"]["poetry"]["packages"]
    taken = {p["include"] for p in packages if p.get("to") == "frustration/bundled/mnist"}
    assert taken == {file.name for file in MNIST.glob("*.gz")}


def test_the_commands_installed_are_those_declared() -> None:
    installed = distribution("frustration-engine").entry_points.select(group="console_scripts")
    assert {entry.name: entry.value for entry in installed} == SCRIPTS


def test_only_the_umbrella_and_what_the_original_project_had_are_commands_of_their_own() -> None:
    ours = {
        "frustration",
        "fe",
        "train",
        "clean",
        "clean-all",
        "analyze-dataset",
        "generate-reproduction-tests",
    }
    rest = {name for name in SCRIPTS if not name.startswith(("make-", "sagemaker-"))}
    assert rest == ours
    assert SCRIPTS["fe"] == SCRIPTS["frustration"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_command_exists(name: str) -> None:
    assert callable(EntryPoint(name, SCRIPTS[name], "console_scripts").load())


def test_the_package_says_that_it_has_types() -> None:
    assert (ROOT / "src" / "frustration" / "py.typed").exists()
