"""The inputs of a container: the code of this package, the wheels that its image lacks, and the data.

The code goes by an allow-list: what is not source of this package is never looked at, so no .env, no results
and no repository can slip in. Everything is stored in S3 under a digest of its content and is uploaded once.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from frustration.cloud.clients import put_new
from frustration.cloud.download import objects
from frustration.cloud.instances import image_of, python_of
from frustration.cloud.place import Place
from frustration.cloud.request import Uploaded
from frustration.cloud.settings import Settings
from frustration.dataset.catalogue import entry_of
from frustration.dataset.contents import archive_in, loose_path
from frustration.dataset.places import obtain
from frustration.dataset.tables import Reference
from frustration.errors import FrustrationError, InputError, last_line
from frustration.files import make_folder, users_cache
from frustration.version import PACKAGE

SOURCES = (".py", ".cpp", ".h", ".toml", ".json", ".txt", ".css", ".js", ".html")
"""Kinds of files that make up this package."""
NOT_CODE = ("__pycache__", "bundled")
DIGITS = 16
WHEELS = Path(__file__).with_name("wheels.txt")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

Files = Mapping[str, bytes]
"""Content by name, relative to the folder in S3."""


@dataclass(frozen=True)
class Wheels:
    """What a container installs, from files and without an index."""

    identity: bytes
    """Stands for the wheels in the digest of the code; known without having them."""
    gather: Callable[[Callable[[str], None]], Iterable[Path]]
    """Their paths; what takes long is said."""

    def files(self, say: Callable[[str], None]) -> dict[str, bytes]:
        """Content by name."""
        return _contents(self.gather(say))


def wheels_for(choice: str | None, settings: Settings) -> Wheels:
    """Those in the folder that the user chose, none for "none", or else the locked ones for the image."""
    if choice is None:
        return locked_wheels(python_of(image_of(settings)))
    paths = [] if choice == "none" else sorted(Path(choice).glob("*.whl"))
    if choice != "none" and not paths:
        raise InputError(f"--wheels {choice}: there is no wheel in that folder")
    return Wheels(digest(_contents(paths)).encode(), lambda say: paths)


def locked_wheels(python: str) -> Wheels:
    """Those that wheels.txt pins by their hashes, for one Python ("3.12"): from the cache or, once, from the
    package index."""
    identity = f"{python}\n{WHEELS.read_text('utf-8')}".encode()
    folder = users_cache() / "frustration" / "wheels" / hashlib.sha256(identity).hexdigest()[:DIGITS]

    def gather(say: Callable[[str], None]) -> Iterable[Path]:
        wanted = sum(1 for line in WHEELS.read_text("utf-8").splitlines() if "==" in line)
        if len(list(folder.glob("*.whl"))) != wanted:
            say(f"downloading {wanted} wheels for Python {python}, once")
            _download(folder, python)
        return sorted(folder.glob("*.whl"))

    return Wheels(identity, gather)


def _contents(wheels: Iterable[Path]) -> dict[str, bytes]:
    return {f"wheels/{path.name}": path.read_bytes() for path in wheels}


def _download(folder: Path, python: str) -> None:
    make_folder(folder)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", python]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    command += ["--dest", str(folder), "--requirement", str(WHEELS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        why = last_line(done.stderr, "pip does not say why")
        raise FrustrationError(
            f"the wheels for the container cannot be downloaded ({why}); give a folder that holds them with "
            f"--wheels DIR, or --wheels none if the image has filelock, numpy and safetensors"
        )


def code_files() -> dict[str, bytes]:
    """The code channel without its wheels: what runs first, and the package."""
    package = PACKAGE
    return {
        "train.py": (package / "cloud" / "container.py").read_bytes(),
        "frustration.tar.gz": _packed(package),
    }


def data_files(datasets: Iterable[str]) -> dict[str, bytes]:
    """The data channel: the files of the data sets as stored on this machine."""
    files: dict[str, bytes] = {}
    for name in datasets:
        if Reference.parse(name):
            raise FrustrationError(
                f"{name}: a container is given data sets of the catalogue only; run the study here or on Ray"
            )
        entry = entry_of(name)
        folder = obtain(entry)
        loose = [loose_path(entry, file, folder) for file in entry.files]
        archive = archive_in(entry, folder)
        found = [path for path in loose if path] if all(loose) or not archive else [archive[1]]
        files |= {f"{name}/{path.name}": path.read_bytes() for path in found}
    return files


def digest(files: Files) -> str:
    """16 hexadecimal digits of names and contents."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()[:DIGITS]


@dataclass(kw_only=True)
class Bundle:
    """Code, data and wheels for containers, with the digests that identify them in S3."""

    code: Mapping[str, bytes]
    data: Mapping[str, bytes]
    wheels: Wheels

    @classmethod
    def of(cls, datasets: Iterable[str], wheels: Wheels) -> Bundle:
        return cls(code=code_files(), data=data_files(datasets), wheels=wheels)

    @cached_property
    def digests(self) -> Uploaded:
        return Uploaded(code=digest({**self.code, "wheels": self.wheels.identity}), data=digest(self.data))

    def by_folder(self, place: Place, say: Callable[[str], None]) -> list[tuple[str, Mapping[str, bytes]]]:
        """Keys of folders with what belongs there. Wheels are downloaded now, if they have to be."""
        code = {**self.code, **self.wheels.files(say)}
        return [(place.code(self.digests.code), code), (place.data(self.digests.data), self.data)]


def upload(s3: Any, place: Place, folder: str, files: Files) -> int:
    """Put what is not there yet into `folder`, a key that ends with "/"; returns how many files were put."""
    there = {one["Key"]: one["Size"] for one in objects(s3, place.bucket, folder)}
    lacking = [name for name, content in files.items() if there.get(folder + name) != len(content)]
    # Under this digest another launcher can only have put the same.
    return sum(put_new(s3, place.bucket, folder + name, files[name]) for name in lacking)


def _packed(package: Path) -> bytes:
    """The package's sources as a .tar.gz that is the same for the same sources, whenever it is made."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(package.rglob("*")):
            name = path.relative_to(package)
            hidden = any(part.startswith(".") or part in NOT_CODE for part in name.parts)
            if hidden or path.suffix not in SOURCES or path.is_symlink() or not path.is_file():
                continue
            member = tarfile.TarInfo(f"frustration/{name.as_posix()}")
            content = path.read_bytes()
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
