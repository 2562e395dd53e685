"""The Dockerfile copies what is there, keeps secrets out, and what a run writes is writable for any user.

It is read here, not built: a build downloads a base image, and docs/install.md says how it was built.
"""

import fnmatch
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KNOWN = {"FROM", "RUN", "ENV", "WORKDIR", "COPY", "ARG", "USER", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """(word, the rest) in order, continued lines joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], " ".join(line.partition(" ")[2].split())) for line in lines]


def all_of(word: str) -> list[str]:
    return [rest for one, rest in instructions() if one == word]


def ignored(path: str) -> bool:
    """As docker reads .dockerignore: the last pattern that fits a path, or a folder above it, decides."""
    found = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().rstrip("/")
        if not pattern or pattern.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = pattern.removeprefix("!").removeprefix("**/")
        anywhere = line.strip().removeprefix("!").startswith("**/")
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        names = parts if anywhere else above
        folders_only = line.strip().endswith("/")
        if any(
            fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/")
            for name in (names if not folders_only else names[:-1])
        ):
            found = not keeps
    return found


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


def test_every_instruction_is_one_and_the_base_has_a_python_that_fits():
    assert {word for word, _ in instructions()} <= KNOWN
    (base,) = all_of("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", base)
    assert version
    assert version[1] in ("3.11", "3.12", "3.13")


def test_what_a_checkout_consists_of_is_copied_and_nothing_else_of_this_machine():
    assert all_of("COPY") == [". ."]
    assert not [path for path in tracked() if ignored(path)]
    for secret in (".env", ".git/config", ".venv/bin/python", "results/mine/study.toml", "models/1x8/a.npz"):
        assert ignored(secret), secret
    assert ignored("src/frustration/__pycache__/a.pyc")


def test_it_is_set_up_by_the_script_and_runs_make_study():
    (command,) = map(json.loads, all_of("CMD"))
    assert command == ["make", "study"]
    assert re.search(r"^study: bootstrap$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    words = next(shlex.split(run) for run in all_of("RUN") if run.startswith("scripts/bootstrap"))
    said = subprocess.run(
        [
            str(ROOT / "scripts" / "bootstrap"),
            *("cuda" if word == "$TORCH" else word for word in words[1 : words.index("&&")]),
            "--help",
        ],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert "TORCH=auto" in all_of("ARG")
    assert "{auto,cpu,cuda}" in said.stdout


@pytest.mark.parametrize("folder", [".bootstrap", "results", "models", "reproduction", "/home/any"])
def test_what_a_run_writes_is_writable_for_any_user(folder):
    (change,) = (run for run in all_of("RUN") if "chmod -R a+rwX" in run)
    assert folder in shlex.split(change.partition("chmod -R a+rwX")[2])
    assert "HOME=/home/any" in all_of("ENV")[0]
    words = [word for word, _ in instructions()]
    assert words.index("USER") > max(n for n, word in enumerate(words) if word == "RUN")
    assert all_of("USER")[0].split(":")[0] not in ("0", "root")
