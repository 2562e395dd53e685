"""What poetry.lock promises: on every machine one version of each package, and one that can be installed."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "poetry.lock").read_text()
PACKAGES = tomllib.loads(TEXT)["package"]
EXTRAS = ["", "ray", "sagemaker"]
MACHINES = [
    (system, machine, python)
    for system, machine in [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]
    for python in ["3.11", "3.12", "3.13"]
]


def environment(system: str, machine: str, python: str) -> dict[str, str]:
    """The variables that markers may ask for, complete, so that none comes from this machine."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system.capitalize(),
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": system,
    }


def is_installed(package: dict[str, Any], machine: dict[str, str]) -> bool:
    """Whether some group or extra brings this package to the machine; the group `pins` is never installed."""
    markers = package.get("markers", "")
    for group in set(package["groups"]) - {"pins"}:
        marker = markers.get(group, "") if isinstance(markers, dict) else markers
        if not marker or any(Marker(marker).evaluate({**machine, "extra": extra}) for extra in EXTRAS):
            return True
    return False


def installed(machine: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [package for package in PACKAGES if is_installed(package, environment(*machine))]


def supported_tags(system: str, machine: str, python: str) -> set[Tag]:
    if system == "darwin":
        platforms = list(mac_platforms((14, 0), machine))
    else:
        legacy = [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")]
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)] + legacy
        platforms.append(f"linux_{machine}")
    version = tuple(map(int, python.split(".")))
    return {*cpython_tags(version, platforms=platforms), *compatible_tags(version, platforms=platforms)}


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_a_machine_gets_one_version_of_each_package(machine: tuple[str, str, str]) -> None:
    """Two of one package, installed over each other, are how a locked torch ends in a segmentation fault."""
    versions: dict[str, set[str]] = {}
    for package in installed(machine):
        versions.setdefault(package["name"], set()).add(package["version"])
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_every_package_has_a_file_for_the_machine(machine: tuple[str, str, str]) -> None:
    tags = supported_tags(*machine)

    def fits(file: str) -> bool:
        return not file.endswith(".whl") or not tags.isdisjoint(parse_wheel_filename(file)[3])

    unusable = [p["name"] for p in installed(machine) if not any(fits(entry["file"]) for entry in p["files"])]
    assert unusable == []


@pytest.mark.parametrize("machine", MACHINES, ids="-".join)
def test_torch_is_everywhere_and_the_rest_where_it_belongs(machine: tuple[str, str, str]) -> None:
    system, architecture, python = machine
    names = {package["name"] for package in installed(machine)}
    assert {"torch", "numpy", "safetensors", "ray", "sagemaker", "pytest"} <= names
    # perforatedai has wheels only: for Linux on x86-64 up to Python 3.12, and for macOS.
    assert ("perforatedai" in names) == (python != "3.13" and (system, architecture) != ("linux", "aarch64"))
    assert any(name.startswith("nvidia-") for name in names) == (system == "linux")


def test_the_lock_names_no_place_to_download_from() -> None:
    """It is made through whatever index its maker has, and must serve those who have another."""
    assert [package["name"] for package in PACKAGES if "source" in package] == []
    lines = [line for line in TEXT.splitlines() if not line.startswith("description = ")]
    assert [line for line in lines if "://" in line] == []


def test_every_file_is_pinned_by_its_sha256() -> None:
    entries = [entry for package in PACKAGES for entry in package["files"]]
    assert [e for e in entries if not re.fullmatch("sha256:[0-9a-f]{64}", e["hash"])] == []
    assert [package["name"] for package in PACKAGES if not package["files"]] == []


@pytest.mark.parametrize("name", ["poetry.txt", "torch-cpu.txt"])
def test_what_bootstrap_installs_besides_is_pinned_by_sha256_too(name: str) -> None:
    """And torch-cpu.txt knows the torch that is locked."""
    script = runpy.run_path(str(ROOT / "scripts" / "bootstrap.py"))
    entries = script["requirements"]((ROOT / "scripts" / name).read_text())
    assert entries
    assert all(
        re.fullmatch(r"[^=\s]+==\S+( ;[^\\]*)?(\s\\?\s*--hash=sha256:[0-9a-f]{64})+\s*", e) for e in entries
    )
    if name == "torch-cpu.txt":
        (torch,) = (package for package in PACKAGES if package["name"] == "torch")
        assert entries[0].startswith(f"torch=={torch['version']}+cpu ")


def test_what_torch_brings_for_gpus_is_known_by_its_name() -> None:
    """So that bootstrap leaves it out beside a build for CPUs."""
    script = runpy.run_path(str(ROOT / "scripts" / "bootstrap.py"))
    packages = {package["name"]: package.get("dependencies", {}) for package in PACKAGES}
    for_gpus = {n for n, one in packages["torch"].items() if "platform_system" in str(one)}
    while more := {name for found in for_gpus for name in packages[found]} - for_gpus:
        for_gpus |= more
    assert len(for_gpus) > 10
    assert [name for name in for_gpus if not script["CUDA"].match(name)] == []


def test_torch_can_be_imported() -> None:
    import torch

    assert torch.ones(2).sum() == 2
