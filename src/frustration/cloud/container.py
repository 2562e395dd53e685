"""The first program of a training container: it makes `frustration` importable and starts it.

It is uploaded as `train.py`, beside `frustration.tar.gz` and `wheels/`, and runs before anything is
installed: so it imports the standard library only, and looks for its neighbours in its own folder.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path

FAILURE_LETTERS = 1024
"""What DescribeTrainingJob shows of /opt/ml/output/failure."""


def main() -> int:
    """Unpack, install, train; what goes wrong stands in output/failure, and the exit code is not 0."""
    try:
        prepare(Path(__file__).resolve().parent)
        from frustration.cloud.entry import run

        return run(base_folder(), functools.partial(write_failure, base_folder()))
    except Exception as error:  # nobody above would write down why the job failed
        write_failure(base_folder(), f"{type(error).__name__}: {error}", traceback.format_exc())
        return 1


def base_folder() -> Path:
    """/opt/ml, or the folder that AWS's toolkit is configured with."""
    return Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def prepare(bundle: Path) -> None:
    """Put the code and the wheels of a bundle before everything else that Python could import."""
    archive = bundle / "frustration.tar.gz"
    if not archive.is_file():
        return  # run from a checkout or an installed package
    target = Path(tempfile.mkdtemp(prefix="frustration-"))
    with tarfile.open(archive) as tar:
        for member in tar:
            _unpack(tar, member, target / "code")
    found = [str(target / "code")]
    if wheels := sorted((bundle / "wheels").glob("*.whl")):
        # No index and no dependencies: what is installed is what was uploaded, and nothing else.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-index", "--no-deps", "--target", str(target / "wheels"), *map(str, wheels)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"pip could not install the wheels of the bundle: {done.stderr.strip()}")
        found.append(str(target / "wheels"))
    sys.path[:0] = found


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file of a bundle, which holds nothing else; before Python 3.11.4 tarfile has no filter."""
    parts = Path(member.name).parts
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or member.name.startswith("/") or ".." in parts:
        raise RuntimeError(f"the bundle holds {member.name!r}, which is not a file of the package")
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.read())


def write_failure(base: Path, summary: str, details: str = "") -> None:
    """What DescribeTrainingJob will say, the sentence first; the whole story goes to the log."""
    print(details or summary, file=sys.stderr, flush=True)
    text = f"{summary}\n{details}" if details else summary
    try:
        (base / "output").mkdir(parents=True, exist_ok=True)
        (base / "output" / "failure").write_text(text[:FAILURE_LETTERS], "utf-8")
    except OSError as error:
        print(f"cannot write {base / 'output' / 'failure'}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
