"""The engine is compiled on first use, once per source, compiler and CPU; if not, a sentence says why."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from frustration.engine.native import build
from frustration.engine.native.build import BuildError, library_path
from frustration.engine.native.library import Library, this_cpu

REASON = "from frustration.engine.native import native_available; print(native_available())"
QUICK = ("-O0", *build.native_flags())


def python(code: str, **environment: str) -> str:
    source = str(Path(build.__file__).parents[3])
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


def test_without_a_compiler_one_sentence_says_so(tmp_path):
    reason = python(REASON, PATH=str(tmp_path), CXX="", FRUSTRATION_CACHE=str(tmp_path))
    assert reason == "no C++ compiler (c++, g++, clang++) is on PATH"


def test_a_compiler_that_is_named_but_not_there_is_named_in_the_reason(tmp_path):
    reason = python(REASON, CXX="/no/such/compiler", FRUSTRATION_CACHE=str(tmp_path))
    assert reason == "the C++ compiler that CXX names, /no/such/compiler, is not on PATH"


def test_what_a_compiler_says_is_in_the_reason(tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'fatal error: the moon is too full' >&2\nexit 1\n")
    compiler.chmod(0o755)
    reason = python(REASON, CXX=str(compiler), FRUSTRATION_CACHE=str(tmp_path))
    assert reason == f"{compiler} cannot compile the native engine: fatal error: the moon is too full"


def test_a_cache_that_cannot_be_made_is_named_in_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "cache"
    reason = python(REASON, FRUSTRATION_CACHE=str(cache))
    assert reason == f"FRUSTRATION_CACHE={cache}: Not a directory"


def test_two_processes_may_compile_at_once(tmp_path, monkeypatch):
    code = f"from frustration.engine.native.build import library_path as p; print(p({QUICK!r}))"
    environment = {
        **os.environ,
        "FRUSTRATION_CACHE": str(tmp_path),
        "PYTHONPATH": str(Path(build.__file__).parents[3]),
    }
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert [str(path) for path in tmp_path.iterdir()] == list(paths)  # and nothing half-written beside it
    assert Library(Path(*paths)).lanes == this_cpu().lanes


def test_nothing_is_compiled_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("FRUSTRATION_CACHE", str(tmp_path))
    first = library_path(QUICK)
    stamp = first.stat().st_mtime_ns
    assert library_path(QUICK) == first
    assert first.stat().st_mtime_ns == stamp


def test_other_sources_flags_or_compilers_make_another_file(tmp_path, monkeypatch):
    """Only names are made here: nothing is compiled."""
    monkeypatch.setenv("FRUSTRATION_CACHE", str(tmp_path))
    compiled = []
    monkeypatch.setattr(build, "_compile", lambda command, target: compiled.append(target))
    library_path()
    library_path(["-O0"])
    changed = tmp_path / "sources"
    shutil.copytree(build.SOURCES, changed)
    with (changed / "adamw.h").open("a") as file:
        file.write("// changed\n")
    monkeypatch.setattr(build, "SOURCES", changed)
    library_path()
    assert len(set(compiled)) == 3


def test_a_cache_that_may_not_be_written_is_replaced_by_a_private_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FRUSTRATION_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    folder = build.cache_folder()
    assert folder != tmp_path
    assert folder.is_dir()


def test_a_file_that_is_no_library_is_a_reason_and_not_a_crash(tmp_path):
    broken = tmp_path / "native-0.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(BuildError, match="cannot be loaded"):
        Library(broken)
