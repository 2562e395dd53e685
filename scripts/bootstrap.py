"""Set this checkout up in .venv, exactly as poetry.lock says; do nothing where that is done already.

Poetry does the work: the one on PATH if it is new enough, else a private one in .bootstrap. Two
situations need more than Poetry can do:

- Poetry wants a package index that answers in JSON. Where the index speaks HTML only, a plug-in of the
  private Poetry reads it, at the address that pip is configured with.
- On Linux the locked torch brings gigabytes of CUDA. Where there is no NVIDIA driver, and pip's own
  configuration leads to a build for CPUs that torch-cpu.txt knows, pip installs that build and, around
  it, every other package as locked.

Every file that is downloaded has a SHA-256 that is known beforehand: from poetry.lock, from torch-cpu.txt
or, for the private Poetry itself, from poetry.txt.

What is done is written to .venv/ready: a second run reads three small files and returns.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
READY = ENVIRONMENT / "ready"

PRIVATE = ROOT / ".bootstrap"
PRIVATE_ENVIRONMENT = PRIVATE / "poetry"
PRIVATE_POETRY = PRIVATE_ENVIRONMENT / "bin" / "poetry"
PRIVATE_PYTHON = PRIVATE_ENVIRONMENT / "bin" / "python"
POETRY = ROOT / "scripts" / "poetry.txt"
TORCH = ROOT / "scripts" / "torch-cpu.txt"
LOG = PRIVATE / "log"
OPTIONS = PRIVATE / "options.json"
LOCKED = PRIVATE / "locked.txt"
BUILT = PRIVATE / "built.txt"
CHOSEN = PRIVATE / "torch.txt"
HASHED = ["--require-hashes", "--no-deps"]
WHEELS = ["--only-binary=:all:"]
CUDA = re.compile(r"(nvidia-|cuda-|triton\b|torch\b)")
"""What the locked torch brings that a build for CPUs does without, and the locked torch itself."""

GROUPS = ["dev", "perforated"]  # installed unless left out
EXTRAS = ["ray", "sagemaker"]  # installed on request
GIGABYTES = {"cuda": 9, "cpu": 4}  # what .venv and the downloads take together, with a margin


def main() -> int:
    options = parse_options()
    if options.hint:
        print(hint())
        return 0
    PRIVATE.mkdir(exist_ok=True)
    with one_at_a_time():
        if len(sys.argv) > 1:
            OPTIONS.write_text(json.dumps(vars(options)) + "\n")
        elif OPTIONS.exists():  # nothing said: as the last time
            vars(options).update(json.loads(OPTIONS.read_text()))
        if READY.exists() and READY.read_text() == fingerprint(options) and PYTHON.exists():
            return 0
        READY.unlink(missing_ok=True)
        LOG.write_text("")
        prepare_process()
        set_up(options)
        READY.write_text(fingerprint(options))
    say(f"ready. {hint()}")
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bootstrap",
        description="Set this checkout up in .venv. Without options, those of the last run count again.",
    )
    parser.add_argument(
        "--torch",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="the build of torch; auto takes the smaller one for CPUs where there is no NVIDIA driver "
        "and pip finds it (choose cuda on a login node without a GPU)",
    )
    parser.add_argument(
        "--torch-sha256",
        metavar="DIGEST",
        help="of a build for CPUs that scripts/torch-cpu.txt does not know",
    )
    parser.add_argument(
        "--without",
        choices=GROUPS,
        action="append",
        default=[],
        metavar="GROUP",
        help=f"leave out a dependency group: {' or '.join(GROUPS)}; may be repeated",
    )
    parser.add_argument(
        "--extra",
        choices=EXTRAS,
        action="append",
        default=[],
        metavar="NAME",
        help=f"install an extra too: {' or '.join(EXTRAS)}; may be repeated",
    )
    parser.add_argument("--hint", action="store_true", help="only print how to run the commands")
    return parser.parse_args()


def hint() -> str:
    """How to run things from now on, on this machine."""
    if poetry_on_path():
        return "Run commands as `poetry run train`."
    return (
        "There is no Poetry on PATH, so first type, once in each shell,\n"
        "    source .venv/bin/activate\n"
        "and then `poetry run train` or just `train`; without activating, `.venv/bin/train` does the same."
    )


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """A second bootstrap of this checkout waits, and then usually finds nothing to do."""
    with (PRIVATE / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another bootstrap of this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fingerprint(options: argparse.Namespace) -> str:
    """Everything that decides what .venv holds: place, Python, options, and what is asked for."""
    scripts = [ROOT / "scripts" / "bootstrap", ROOT / "scripts" / "bootstrap.py", POETRY, TORCH]
    content = b"\0".join(f.read_bytes() for f in [ROOT / "pyproject.toml", ROOT / "poetry.lock", *scripts])
    return f"{ENVIRONMENT}\n{sys.version}\n{vars(options)}\n{hashlib.sha256(content).hexdigest()}\n"


def prepare_process() -> None:
    """Keep the caller's surroundings from leading Poetry and pip astray."""
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME"]:
        os.environ.pop(name, None)  # Poetry would install there instead of in .venv
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # never ask for a password
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if not home_is_writable():
        for name in [
            "XDG_CACHE_HOME",
            "PIP_CACHE_DIR",
            "POETRY_CACHE_DIR",
            "POETRY_CONFIG_DIR",
            "POETRY_DATA_DIR",
        ]:
            os.environ.setdefault(name, str(PRIVATE / "cache"))


def home_is_writable() -> bool:
    try:
        cache = Path.home() / ".cache"
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home at all
        return False
    return os.access(cache, os.W_OK)


# ---------------------------------------------------------------- the environment


def set_up(options: argparse.Namespace) -> None:
    """Leave a .venv in which torch can be imported; start it over if an old one cannot be fixed."""
    need_disk(min(GIGABYTES.values()))
    starts = ["as it is", "empty"] if environment_fits() else ["empty"]
    for start in starts:
        if start == "empty":
            say(f"making .venv with Python {sys.version.split()[0]}")
            venv.create(ENVIRONMENT, clear=True, with_pip=True, symlinks=True)
        install(options)
        if run([PYTHON, "-c", "import torch"]):
            break
        say("torch is installed and cannot be imported")
    else:
        stop("a fresh .venv did not help")
    if not poetry_on_path():  # `poetry run ...` then works in an activated shell
        link = ENVIRONMENT / "bin" / "poetry"
        link.unlink(missing_ok=True)
        link.symlink_to(own_poetry())


def environment_fits() -> bool:
    """Whether .venv was made here and with this version of Python."""
    if not made_here(ENVIRONMENT):
        return False
    version = rf"(?m)^version\w* *= *{re.escape(sys.version.split()[0])}\b"
    return re.search(version, (ENVIRONMENT / "pyvenv.cfg").read_text()) is not None


def made_here(environment: Path) -> bool:
    """Whether a virtual environment is whole and was made where it lies: its scripts name the place."""
    activate = environment / "bin" / "activate"
    whole = all(f.exists() for f in [environment / "bin" / "python", environment / "pyvenv.cfg", activate])
    return whole and str(environment) in activate.read_text()


def install(options: argparse.Namespace) -> None:
    build = options.torch
    if build == "auto":
        nvidia = has_nvidia()
        build = "cpu" if not nvidia and finds_cpu_torch(options) else "cuda"
        if build == "cuda" and not nvidia and sys.platform == "linux":
            say(without_cpu_torch())
    elif build == "cpu" and not finds_cpu_torch(options):
        stop(f"{without_cpu_torch()}; --torch cuda agrees to that")
    need_disk(GIGABYTES[build])
    if build == "cpu":
        say(f"torch {torch_version()}: the build for CPUs that pip finds (--torch cuda takes the locked one)")
        install_with_pip(options)
        return
    install_with_poetry(options)
    if " " in str(PYTHON) or len(str(PYTHON)) > 120:
        # The first line of Poetry's scripts cannot name such a path; pip's scripts can start from there.
        install_this_checkout()


def install_with_poetry(options: argparse.Namespace) -> None:
    command = ["install", "--no-interaction", "--no-ansi"]
    command += [f"--without={group}" for group in options.without]
    command += [f"--extras={extra}" for extra in options.extra]
    plain_fails = PRIVATE / "plain-poetry-fails"  # remembered, so that it is tried once only
    if not plain_fails.exists():
        if run([poetry_on_path() or own_poetry(), *command]):
            return
        say("plain Poetry could not install (the log says why); trying with the index that pip uses")
    poetry = own_poetry()
    use_pips_index()
    run([poetry, *command], or_stop="poetry install failed")
    plain_fails.touch()


def install_with_pip(options: argparse.Namespace) -> None:
    """Every package as locked, and the chosen torch: nothing that has no SHA-256, and nothing besides."""
    groups = [f"--with={group}" for group in GROUPS if group not in options.without]
    extras = [f"--extras={extra}" for extra in options.extra]
    run([own_poetry(), "export", *groups, *extras, f"--output={LOCKED}"], or_stop="poetry export failed")
    locked = [one for one in requirements(LOCKED.read_text()) if not CUDA.match(one)]
    # What is built here is built by the locked setuptools: left alone, pip would download another.
    to_build = without_wheels()
    built = [one for one in locked if re.split("[=[]", one)[0] in to_build]
    LOCKED.write_text("".join(one for one in locked if one not in built))
    BUILT.write_text("".join(built))
    for file, how in [(CHOSEN, WHEELS), (LOCKED, WHEELS), (BUILT, ["--no-build-isolation"])]:
        run([*pip(PYTHON), "install", *HASHED, *how, f"--requirement={file}"], or_stop="pip failed")
    install_this_checkout()
    # perforatedai asks for torchvision and works without it. The ordinary torchvision is built for CUDA
    # and cannot be imported beside a torch built for CPUs; other packages stumble over a broken one.
    if not run([PYTHON, "-c", "import torchvision"]):
        run([*pip(PYTHON), "uninstall", "--yes", "torchvision"])


def requirements(text: str) -> list[str]:
    """The entries of a requirements file, each with the lines of its digests."""
    return re.findall(r"(?m)^[A-Za-z0-9].*\n(?:[ \t].*\n)*", text)


def install_this_checkout() -> None:
    """Editable, built by the poetry-core of the private Poetry: pip would download another."""
    built_by = next(PRIVATE_ENVIRONMENT.glob("lib*/python*/site-packages"))
    command = [*pip(PYTHON), "install", "--no-deps", "--no-build-isolation", "--editable", "."]
    run(["env", f"PYTHONPATH={built_by}", *command], or_stop="pip failed")


# ---------------------------------------------------------------- Poetry and pip


def poetry_on_path() -> str | None:
    """The user's own Poetry, if it is new enough."""
    elsewhere = [p for p in os.get_exec_path() if not Path(p).resolve().is_relative_to(ROOT)]
    poetry = shutil.which("poetry", path=os.pathsep.join(elsewhere))
    version = re.search(r"(\d+)\.(\d+)", answer(poetry, "--version")) if poetry else None
    return poetry if version and (int(version[1]), int(version[2])) >= (2, 2) else None


def own_poetry() -> Path:
    pinned, held = POETRY.read_text(), PRIVATE_ENVIRONMENT / "poetry.txt"
    as_pinned = held.exists() and held.read_text() == pinned
    if not (as_pinned and made_here(PRIVATE_ENVIRONMENT) and answer(PRIVATE_POETRY, "--version")):
        say("installing a private Poetry in .bootstrap")
        venv.create(PRIVATE_ENVIRONMENT, clear=True, with_pip=True, symlinks=True)
        run(
            [PRIVATE_PYTHON, "-m", "pip", "install", *HASHED, *WHEELS, f"--requirement={POETRY}"],
            or_stop="Poetry could not be installed",
        )
        held.write_text(pinned)
    return PRIVATE_POETRY


def pip(python: Path) -> list[str | Path]:
    """A recent pip that works on the environment of this Python, whatever pip that one has."""
    own_poetry()
    return [PRIVATE_PYTHON, "-m", "pip", "--python", python]


def pip_settings() -> tuple[str, str]:
    """The index and the certificates that pip uses, be they from its files, the environment or by default."""
    code = (
        "from pip._internal.commands import create_command as command;"
        "v = command('install').parser.get_default_values(); print(v.index_url, v.cert or '', sep='\\n')"
    )
    index, certificates = answer(PRIVATE_PYTHON, "-c", code).split("\n")[:2]
    return index, certificates


def use_pips_index() -> None:
    """For the private Poetry, whose plug-in reads it."""
    index, certificates = pip_settings()
    os.environ["POETRY_PYPI_MIRROR_URL"] = index
    if certificates:
        os.environ.setdefault("REQUESTS_CA_BUNDLE", certificates)


def locked_packages() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    return found


def torch_version() -> str:
    return str(next(package["version"] for package in locked_packages() if package["name"] == "torch"))


def without_wheels() -> list[str]:
    """Locked packages that are built where they are installed."""
    return [
        one["name"]
        for one in locked_packages()
        if not any(entry["file"].endswith(".whl") for entry in one["files"])
    ]


def finds_cpu_torch(options: argparse.Namespace) -> bool:
    """Whether pip, as configured here, finds the locked torch for CPUs, with a digest that is known."""
    wanted = f"torch=={torch_version()}+cpu"
    known = [line for line in TORCH.read_text().splitlines() if line.startswith(f"{wanted} ")]
    if options.torch_sha256:
        known = [f"{wanted} --hash=sha256:{options.torch_sha256}"]
    CHOSEN.write_text("\n".join(known) + "\n")
    look = ["install", "--dry-run", "--ignore-installed", "--quiet", *HASHED, f"--requirement={CHOSEN}"]
    return bool(known) and sys.platform == "linux" and run([*pip(PYTHON), *look])


def without_cpu_torch() -> str:
    """What follows where no build for CPUs is found."""
    here = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.machine()}"
    return (
        f"pip finds no build of torch {torch_version()} for CPUs and {here} whose SHA-256 is known "
        f"(scripts/torch-cpu.txt has that for Python 3.11 on x86_64 and says how to name another with "
        f"--torch-sha256); the locked torch brings CUDA and takes {GIGABYTES['cuda']} GB"
    )


# ---------------------------------------------------------------- the machine


def has_nvidia() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def need_disk(gigabytes: int) -> None:
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < gigabytes and not any(ENVIRONMENT.glob("lib*/python*/site-packages/torch")):
        stop(f"{gigabytes} GB of free disk are needed in {ROOT}, and there are {free:.1f}")


def answer(*command: str | Path) -> str:
    """What a command prints; nothing where it cannot even start."""
    try:
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True).stdout
    except OSError:
        return ""


def run(command: Sequence[str | Path], or_stop: str = "") -> bool:
    """Run a command, its output to the log and its progress to the screen; say whether it succeeded."""
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(map(str, command))}\n")
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines = ["it printed nothing"]
        for line in process.stdout or []:
            log.write(line)
            lines += [line.strip()] if line.strip() else []
            if progress := re.match(r"\s*(- (?:Installing|Updating|Removing) [^:]*$|Collecting \S+)", line):
                print(" ", progress[1].strip(), flush=True)
    if process.wait() != 0 and or_stop:
        errors = [line for line in lines if re.search(r"Error\b.*:|^ERROR: ", line)]
        stop(f"{or_stop}: {(errors or lines)[-1]}")
    return process.returncode == 0


def say(text: str) -> None:
    print(f"bootstrap: {text}", flush=True)


def stop(text: str) -> NoReturn:
    sys.exit(f"bootstrap: {text}" + (f" (the whole log is in {LOG})" if LOG.exists() else ""))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, subprocess.SubprocessError) as error:
        stop(str(error))
