"""Build the wheel, install it into an empty environment, and run it there, far from this checkout.

`make test-wheel` runs it with the Python of .venv. The last lines say what passed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bootstrap

COMMANDS = [
    ["frustration", "--version"],
    ["frustration", "--help"],
    ["train", "--help"],
    ["analyze-dataset", "mnist"],
    # Two groups, and so two worker processes.
    ["train", "--ablation-mode", "none", "hidden", "--trials", "8", "--meta-loops", "1", "--threads", "2"],
    ["frustration", "study", "run", "--architectures", "[1*4]", "--modes", "none", "hidden", "--trials", "2",
     "--meta-loops", "2", "--name", "tiny", "train_fraction=0.02"],
    ["frustration", "report", "--from-csv", "runs.csv", "--treatment", "optimizer", "--score", "accuracy"],
]  # fmt: skip
RUNS = "optimizer,accuracy\nadamw,0.93\nadamw,0.92\nlion,0.94\nlion,0.95\n"

PYTHONS = ("3.11", "3.12", "3.13")


def main() -> int:
    start = time.monotonic()
    bootstrap.prepare_process()
    with tempfile.TemporaryDirectory(prefix="wheel of frustration ") as folder:
        place = Path(folder)
        wheel = build(place / "dist")
        environment = place / "venv"
        print(f"installing {wheel.name} into an empty environment", flush=True)
        venv.create(environment, symlinks=True)
        # The locked versions, and the build of torch that the bootstrap's pip finds: no surprise here.
        constraint = f"--constraint={locked_versions(place)}"
        install = [*bootstrap.pip(environment / "bin" / "python"), "install", constraint, wheel]
        if not bootstrap.run(install):
            sys.exit(f"test-wheel: pip could not install the wheel; the log is in {bootstrap.LOG}")
        elsewhere = place / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "runs.csv").write_text(RUNS)
        for command in COMMANDS:
            run(command, environment, elsewhere)
        others = list(on_other_pythons(wheel, place))
    names = ", ".join("`" + " ".join(command) + "`" for command in COMMANDS)
    print(f"test-wheel: passed in {time.monotonic() - start:.0f} s: {wheel.name} installs, and runs {names}")
    print(
        f"test-wheel: without dependencies, `fe --version` also on {', '.join(others) or 'no other Python'}"
    )
    return 0


def on_other_pythons(wheel: Path, place: Path) -> Iterator[str]:
    """The Pythons found here on which the wheel's short command runs; its dependencies are not installed."""
    for version in PYTHONS:
        found = shutil.which(f"python{version}")
        if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
            continue  # a shim of pyenv may lead nowhere
        environment = place / f"venv {version}"
        install = [environment / "bin" / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel]
        for command in ([found, "-m", "venv", environment], install):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        run(["fe", "--version"], environment, place)
        yield version


def locked_versions(folder: Path) -> Path:
    """The lock as constraints. They have no hashes: pip may then take torch 2.x+cpu for 2.x."""
    constraints = folder / "constraints.txt"
    what = ["--all-groups", "--all-extras", "--without-hashes"]
    bootstrap.run(
        [bootstrap.own_poetry(), "export", *what, f"--output={constraints}"], or_stop="poetry export failed"
    )
    return constraints


def build(folder: Path) -> Path:
    """The wheel, which must be for every platform and carry the whole of MNIST."""
    poetry = bootstrap.poetry_on_path() or bootstrap.own_poetry()
    if not bootstrap.run([poetry, "build", f"--output={folder}"]):
        sys.exit(f"test-wheel: poetry build failed; the log is in {bootstrap.LOG}")
    (wheel,) = folder.glob("*.whl")
    if not wheel.name.endswith("-py3-none-any.whl"):
        sys.exit(f"test-wheel: {wheel.name} is not for every platform")
    carried = {
        name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("frustration/bundled/mnist/")
    }
    wanted = {
        f"frustration/bundled/mnist/{file.name}" for file in (bootstrap.ROOT / "dataset/mnist").glob("*.gz")
    }
    if carried != wanted:
        sys.exit(f"test-wheel: the wheel carries {sorted(carried)} instead of {sorted(wanted)}")
    return wheel


def run(command: list[str], environment: Path, folder: Path) -> None:
    """A command of the installed wheel must succeed and say something."""
    program, *arguments = command
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or not done.stdout.strip():
        sys.stderr.write(done.stdout + done.stderr)
        sys.exit(f"test-wheel: `{' '.join(command)}` ended with {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
