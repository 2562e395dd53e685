"""scripts/bootstrap, run as a user runs it, in a checkout of its own that no test can harm."""

from __future__ import annotations

import fcntl
import os
import runpy
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that bootstrap reads, in a folder with a space in its name."""
    place = tmp_path / "a checkout"
    (place / "scripts").mkdir(parents=True)
    for name in ["bootstrap", "bootstrap.py", "poetry.txt", "torch-cpu.txt"]:
        shutil.copy(ROOT / "scripts" / name, place / "scripts" / name)
    for name in ["pyproject.toml", "poetry.lock"]:
        shutil.copy(ROOT / name, place / name)
    return place


def note_as_done(place: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """An empty .venv, and the note that everything was installed in it with these options."""
    venv.create(place / ".venv", symlinks=True)
    monkeypatch.setattr(sys, "argv", ["scripts/bootstrap", *options])
    script = runpy.run_path(str(place / "scripts" / "bootstrap.py"))
    script["READY"].write_text(script["fingerprint"](script["parse_options"]()))


@pytest.fixture
def ready(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    note_as_done(checkout, monkeypatch)
    return checkout


def bootstrap(place: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it where no package index can be reached and no Poetry is on PATH."""
    offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    surroundings = {**inherited, "PATH": "/usr/bin:/bin", **offline, **variables}
    command = [str(place / "scripts" / "bootstrap"), *options]
    return subprocess.run(command, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_a_wrong_python_is_one_sentence(checkout: Path) -> None:
    done = bootstrap(checkout, PYTHON="/no/such/python")
    assert done.returncode == 1
    assert done.stderr == (
        "bootstrap: PYTHON=/no/such/python is not a Python 3.11, 3.12 or 3.13 with its venv module\n"
    )


def test_no_python_at_all_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ["sh", "dirname", "sed", "tr", "sort", "paste"]:
        (tools / name).symlink_to(shutil.which(name) or "")
    done = bootstrap(checkout, PATH=str(tools), PYENV_ROOT=str(tools))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "was not found (found: none)" in done.stderr


def test_help_names_the_options(checkout: Path) -> None:
    done = bootstrap(checkout, "--help", PYTHON=sys.executable)
    assert done.returncode == 0
    assert all(option in done.stdout for option in ["--torch", "--without", "--extra"])


def test_an_unknown_group_is_refused(checkout: Path) -> None:
    done = bootstrap(checkout, "--without", "devel", PYTHON=sys.executable)
    assert done.returncode == 2
    assert "'devel'" in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_existing_environment_keeps_its_python(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo "$0 runs $1"\n')
    python.chmod(0o755)
    assert bootstrap(checkout).stdout == ".venv/bin/python runs scripts/bootstrap.py\n"


def test_a_second_run_finds_nothing_to_do(ready: Path) -> None:
    done = bootstrap(ready)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_second_bootstrap_waits_for_the_first(ready: Path) -> None:
    (ready / ".bootstrap").mkdir()
    with (ready / ".bootstrap" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen([ready / "scripts" / "bootstrap"], stdout=subprocess.PIPE, text=True)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "bootstrap: waiting for another bootstrap of this checkout\n"
        assert waiting.poll() is None
    assert waiting.wait(timeout=30) == 0


def test_without_options_those_of_the_last_run_count(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note_as_done(checkout, monkeypatch, "--torch", "cuda", "--extra", "ray")
    assert bootstrap(checkout, "--torch", "cuda", "--extra", "ray").returncode == 0
    assert bootstrap(checkout).returncode == 0
    assert bootstrap(checkout, "--torch", "cuda").returncode == 1  # something else is asked for, offline


@pytest.mark.parametrize("change", ["pyproject.toml", "scripts/torch-cpu.txt"])
def test_a_change_is_noticed_and_a_failure_is_one_sentence(ready: Path, change: str) -> None:
    with (ready / change).open("a") as file:
        file.write("# changed\n")
    done = bootstrap(ready)
    assert done.returncode == 1
    assert done.stdout == "bootstrap: installing a private Poetry in .bootstrap\n"
    assert done.stderr.startswith("bootstrap: Poetry could not be installed: ERROR: No matching distribution")
    assert done.stderr.endswith(f"(the whole log is in {ready / '.bootstrap' / 'log'})\n")
    assert not (ready / ".venv" / "ready").exists()


def test_a_build_of_torch_without_a_known_digest_is_refused(checkout: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["scripts/bootstrap"])
    script = runpy.run_path(str(checkout / "scripts" / "bootstrap.py"))
    script["PRIVATE"].mkdir()
    asked: list[str] = []
    script["finds_cpu_torch"].__globals__.update(pip=lambda python: ["pip"], run=lambda words: asked or True)
    options = script["parse_options"]()
    assert script["finds_cpu_torch"](options) == (sys.platform == "linux")
    (checkout / "scripts" / "torch-cpu.txt").write_text("torch==1.0+cpu --hash=sha256:00\n")
    assert not script["finds_cpu_torch"](options)
    options.torch_sha256 = "ab" * 32
    assert script["finds_cpu_torch"](options) == (sys.platform == "linux")
    assert (checkout / ".bootstrap" / "torch.txt").read_text().endswith(f"+cpu --hash=sha256:{'ab' * 32}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the locked torch is for CPUs")
def test_where_no_build_for_cpus_is_found_it_says_what_it_takes_instead(checkout, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scripts/bootstrap"])
    script = runpy.run_path(str(checkout / "scripts" / "bootstrap.py"))
    installed: list[str] = []
    script["install"].__globals__.update(
        has_nvidia=lambda: False,
        finds_cpu_torch=lambda options: False,
        need_disk=lambda gigabytes: None,
        install_with_poetry=installed.append,
        install_this_checkout=lambda: None,
    )
    script["install"](script["parse_options"]())
    said = capsys.readouterr().out
    assert said.startswith("bootstrap: pip finds no build of torch ")
    assert "--torch-sha256); the locked torch brings CUDA and takes 9 GB" in said
    assert len(installed) == 1
    monkeypatch.setattr(sys, "argv", ["scripts/bootstrap", "--torch", "cpu"])
    with pytest.raises(SystemExit, match=r"brings CUDA and takes 9 GB; --torch cuda agrees to that"):
        script["install"](script["parse_options"]())


def test_what_the_locked_torch_brings_for_gpus_is_left_out_and_nothing_else(checkout: Path) -> None:
    script = runpy.run_path(str(checkout / "scripts" / "bootstrap.py"))
    text = "numpy==2 ; x \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\ntorch==2.13.0 --hash=sha256:cc\n"
    text += "torchvision==1 --hash=sha256:dd\nnvidia-cublas==1 --hash=sha256:ee\ntriton==3 --hash=sha256:ff\n"
    entries = script["requirements"](text)
    assert "".join(entries) == text
    left = [entry.split("==")[0] for entry in entries if not script["CUDA"].match(entry)]
    assert left == ["numpy", "torchvision"]
