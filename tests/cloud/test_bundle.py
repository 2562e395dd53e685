"""What containers are given: the sources of this package and nothing else, once, and locked wheels."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import boto3
import launch_kit as kit
import pytest

import frustration
from frustration.cloud import bundle, container

ROOT = Path(__file__).parents[2]


def names(files) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(files["frustration.tar.gz"])) as tar:
        return set(tar.getnames())


def test_the_code_is_all_of_the_package_and_nothing_but_its_sources():
    packed = names(bundle.code_files())
    package = Path(frustration.__file__).parent
    there = (path.relative_to(package.parent) for path in package.rglob("*") if path.is_file())
    sources = {str(path) for path in there if "__pycache__" not in path.parts} - {"frustration/py.typed"}
    assert packed == sources
    assert {Path(name).suffix for name in packed} <= set(bundle.SOURCES)


def test_secrets_results_and_repositories_beside_the_code_stay_where_they_are(tmp_path, monkeypatch):
    package = tmp_path / "frustration"
    for name in ("__init__.py", "cloud/container.py", "engine/api.cpp"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("# source\n")
    for name in (
        ".env",
        "cloud/.env",
        ".git/config.toml",
        "key.pem",
        "id_rsa",
        "__pycache__/x.py",
        "data.npz",
    ):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("sesame\n")
    (package / "link.py").symlink_to(tmp_path / "outside.py")
    (tmp_path / "outside.py").write_text("sesame\n")
    monkeypatch.setattr(bundle, "PACKAGE", package)
    assert names(bundle.code_files()) == {
        "frustration/__init__.py",
        "frustration/cloud/container.py",
        "frustration/engine/api.cpp",
    }


def test_the_same_sources_are_the_same_bundle_whenever_it_is_made(tmp_path, monkeypatch):
    package = tmp_path / "frustration" / "cloud"
    package.mkdir(parents=True)
    for path in (package / "container.py", package.parent / "__init__.py"):
        path.write_text("# source\n")
    monkeypatch.setattr(bundle, "PACKAGE", package.parent)
    first = bundle.code_files()
    (package / "container.py").touch()
    assert bundle.digest(bundle.code_files()) == bundle.digest(first)
    (package / "container.py").write_text("# other source\n")
    assert bundle.digest(bundle.code_files()) != bundle.digest(first)


def test_an_upload_that_was_cut_off_is_completed_and_nothing_is_put_twice(aws):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=kit.BUCKET)
    files = {"one": b"1", "two": b"22", "three": b"333"}
    s3.put_object(Bucket=kit.BUCKET, Key="code/x/two", Body=b"22")
    assert bundle.upload(s3, kit.PLACE, "code/x/", files) == 2
    assert bundle.upload(s3, kit.PLACE, "code/x/", files) == 0
    assert kit.lying("code/x/") == {f"code/x/{name}" for name in files}


def test_what_another_launcher_has_just_put_is_left_alone(aws, monkeypatch):
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=kit.BUCKET)
    listing = s3.get_paginator("list_objects_v2").paginate(Bucket=kit.BUCKET, Prefix="code/x/")
    empty = list(listing)
    s3.put_object(Bucket=kit.BUCKET, Key="code/x/one", Body=b"1")

    class Late:
        def paginate(self, **where):
            return iter(empty)

    monkeypatch.setattr(s3, "get_paginator", lambda name: Late())
    assert bundle.upload(s3, kit.PLACE, "code/x/", {"one": b"1"}) == 0


def test_the_wheels_are_those_of_the_lock():
    words = [sys.executable, str(ROOT / "scripts" / "lock_wheels.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_training_imports_nothing_that_the_wheels_and_the_image_lack(tmp_path):
    """A job in an interpreter that has the standard library, this package and what wheels.txt pins alone."""
    program = (
        "import sys, importlib.abc\n"
        "NEEDED = ('frustration', 'filelock', 'numpy', 'safetensors')\n"
        "class Only(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top in sys.stdlib_module_names or top in NEEDED:\n"
        "            return None\n"
        "        raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Only())\n"
        "import json, pathlib\n"
        "base = pathlib.Path(sys.argv[1])\n"
        "(base / 'input' / 'config').mkdir(parents=True)\n"
        "given = {'arch': '1x2', 'meta-loops': '1', 'train-fraction': '0.02'}\n"
        "(base / 'input' / 'config' / 'hyperparameters.json').write_text(json.dumps(given))\n"
        "from frustration.cloud.entry import run\n"
        "sys.exit(run(base, print))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model" / "results.txt").exists()


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "frustration/../../outside.py"])
def test_a_bundle_that_points_outside_is_refused(name, tmp_path):
    with tarfile.open(tmp_path / "frustration.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(RuntimeError, match="not a file of the package"):
        container.prepare(tmp_path)
