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
from frustration.files import try_lock

pytestmark = pytest.mark.slow

REASON = "from frustration.engine.native import native_available; print(native_available())"
QUICK = ("-O0", *build.native_flags())


COMPILER = """#!/bin/sh
for last; do :; done
case "$*" in *" -o "*) echo "$last" >>"$0.log"; echo "a library" >"$last";; esac
"""


def quick_compiler(folder: Path) -> tuple[Path, Path]:
    """A compiler that takes no time and makes no library, and the list of what it compiled."""
    compiler = folder / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    return folder / "compiler.log", compiler


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


def test_nothing_is_compiled_twice(cache):
    first = library_path()
    stamp = first.stat().st_mtime_ns
    assert library_path() == first
    assert first.stat().st_mtime_ns == stamp


def test_other_sources_flags_or_compilers_make_another_file(tmp_path, monkeypatch):
    """Only names are made here: nothing is compiled."""
    monkeypatch.setenv("FRUSTRATION_CACHE", str(tmp_path))
    compiled = []
    monkeypatch.setattr(build, "_compile", lambda command, folder, name: compiled.append(name))
    library_path()
    library_path(["-O0"])
    changed = tmp_path / "sources"
    shutil.copytree(build.SOURCES, changed)
    with (changed / "adamw.h").open("a") as file:
        file.write("// changed\n")
    monkeypatch.setattr(build, "SOURCES", changed)
    library_path()
    assert len(set(compiled)) == 3


@pytest.mark.parametrize("kind", ["cannot be written", "open to other users", "of another user"])
def test_without_a_cache_of_our_own_a_run_compiles_once_and_its_workers_use_that(tmp_path, monkeypatch, kind):
    compilations, compiler = quick_compiler(tmp_path)
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    user = os.geteuid()
    if kind == "cannot be written":
        cache = Path("/proc")  # even for the superuser
    elif kind == "open to other users":
        cache.chmod(0o777)
    else:
        user = 12345
        if os.geteuid() != 0:
            pytest.skip("only the superuser can make a folder of another user")
        os.chown(cache, user, user)
    worker = "from frustration.engine.native.build import library_path as p; print(p())"
    run = (
        f"{worker}; import subprocess, sys; "
        f"[subprocess.run([sys.executable, '-c', {worker!r}], check=True) for _ in range(2)]"
    )
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = {Path(line) for line in python(run, CXX=str(compiler), FRUSTRATION_CACHE=str(cache)).split("\n")}
    assert len(paths) == 1
    assert compilations.read_text().count("\n") == 1
    assert paths.pop().parent.parent == tmp_path
    assert list(tmp_path.glob("frustration-*")) == []  # its folder went with the run
    assert cache == Path("/proc") or list(cache.iterdir()) == []


def flip(library: Path) -> None:
    content = bytearray(library.read_bytes())
    content[len(content) // 2] ^= 1
    library.write_bytes(content)


def cut(library: Path) -> None:
    os.truncate(library, library.stat().st_size // 2)


DAMAGE = {
    "zero length": lambda library: os.truncate(library, 0),
    "half a file": cut,
    "garbage": lambda library: library.write_bytes(b"not a library"),
    "a flipped bit": flip,
    "open to other writers": lambda library: library.chmod(0o777),
    "a link": lambda library: (library.rename(library.with_name("x")), library.symlink_to("x")),
    "a pipe": lambda library: (library.unlink(), os.mkfifo(library)),
}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """Of a compiler that takes no time."""
    monkeypatch.setenv("CXX", str(quick_compiler(tmp_path)[1]))
    monkeypatch.setenv("FRUSTRATION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_library_that_is_not_what_was_compiled_is_compiled_again(cache, damage):
    library = library_path()
    DAMAGE[damage](library)
    again = library_path()
    assert again == library
    assert again.read_bytes() == b"a library\n"
    assert (again.is_symlink(), again.stat().st_mode & 0o777) == (False, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can make a file of another user")
def test_a_library_that_another_user_planted_is_never_loaded(cache):
    whole = library_path()
    planted = cache / build._whole_name(whole.name.rpartition("-")[0], b"planted")
    planted.write_bytes(b"planted")
    os.chown(planted, 12345, 12345)
    whole.unlink()
    assert library_path() == whole
    assert not planted.exists()


def test_the_users_cache_is_closed_to_others(tmp_path, monkeypatch):
    monkeypatch.delenv("FRUSTRATION_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = build.cache_folder()
    assert folder == tmp_path / "frustration" / "native"
    folder.chmod(0o775)
    assert build.cache_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_killed_compilations_left_is_swept(cache):
    recent, old = cache / ".native-a.partial", cache / ".native-b.partial"
    for left in recent, old:
        left.mkdir(mode=0o700, parents=True)
        (left / "engine.so").write_bytes(b"half")
    os.utime(old, (0, 0))
    library = library_path()
    assert sorted(cache.iterdir()) == [recent, library]


def test_folders_that_killed_runs_left_are_swept_and_those_of_live_ones_are_not(tmp_path, monkeypatch):
    left, used = tmp_path / "frustration-native-left", tmp_path / "frustration-native-used"
    for folder in left, used:
        folder.mkdir()
        (folder / ".lock").touch()
    with try_lock(used / ".lock"):
        for folder in left, used:
            os.utime(folder, (0, 0))
        python(
            "from frustration.engine.native import build; build._folder_of_this_run()", TMPDIR=str(tmp_path)
        )
    assert list(tmp_path.iterdir()) == [used]


def test_a_file_that_is_no_library_is_a_reason_and_not_a_crash(tmp_path):
    broken = tmp_path / "native-0.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(BuildError, match="cannot be loaded"):
        Library(broken)


def test_a_library_without_our_functions_is_a_reason_and_not_a_crash(tmp_path):
    (tmp_path / "empty.c").write_text("")
    empty = tmp_path / "native-0.so"
    subprocess.run([*build.compiler(), "-shared", "-o", empty, tmp_path / "empty.c"], check=True)
    with pytest.raises(BuildError, match="has no function frustration_lanes"):
        Library(empty)
