#!/usr/bin/env python3
"""Build the native engine's smoke program in several ways, run it, and compare what it prints.

    scripts/test_native.py            # sanitizers, then every width of vectors that this machine runs
    scripts/test_native.py --neon     # and NEON under qemu (needs g++-aarch64-linux-gnu and qemu-user)

The builds with AddressSanitizer and UndefinedBehaviorSanitizer must run clean, and all builds must print the
same hashes of weights.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src/frustration/engine/native"
SMOKE = ROOT / "tests/native/smoke.cpp"
LANGUAGE = ["-std=c++20", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
WARNINGS = ["-Wall", "-Wextra", "-Wno-psabi", "-Wno-uninitialized"]
GCC_WARNINGS = ["-Wno-maybe-uninitialized"]  # as the one above, about GCC 12's own headers
SANITIZERS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
AVX2 = ["-mavx2", "-mfma"]
AVX512 = ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"]
ARM = "aarch64-linux-gnu-g++"


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--neon", action="store_true", help="also NEON, under qemu")
    wants_neon = parser.parse_args().neon
    compilers = [name for name in ("g++", "clang++", "clang++-14") if shutil.which(name)]
    if not compilers:
        print("no C++ compiler (g++, clang++) is on PATH", file=sys.stderr)
        return 1
    x86 = platform.machine() == "x86_64"
    flags = Path("/proc/cpuinfo").read_text() if x86 else ""
    widths = [("avx2", AVX2)] * ("avx2" in flags) + [("avx512", AVX512)] * ("avx512dq" in flags)
    widths = widths or [("this cpu", ["-march=native"] if x86 else [])]

    outputs = {}
    for width, vectors in widths:
        outputs[f"{width}, sanitizers"] = build_and_run([compilers[0], *SANITIZERS, *vectors])
    for compiler in compilers:
        for width, vectors in widths:
            outputs[f"{width}, {compiler}"] = build_and_run([compiler, "-O3", *vectors])
    if wants_neon:
        outputs["neon"] = build_and_run([ARM, "-O3", "-static"], ["qemu-aarch64"])

    expected = next(iter(outputs.values()))
    print(expected, end="")
    for name, output in outputs.items():
        print(f"{name}: {'the same bits' if output == expected else 'OTHER BITS'}")
    return 0 if set(outputs.values()) == {expected} else 1


def build_and_run(command: list[str], emulator: list[str] | None = None) -> str:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "smoke"
        started = time.perf_counter()
        warnings = WARNINGS if "clang" in command[0] else WARNINGS + GCC_WARNINGS
        subprocess.run([*command, *LANGUAGE, *warnings, f"-I{SOURCES}", SMOKE, "-o", program], check=True)
        built = time.perf_counter()
        # A team that is too large must be refused, and not end the program.
        run = subprocess.run(
            [*(emulator or []), program],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1"},
        )
        ran = time.perf_counter() - built
        print(f"{' '.join(command)}: built in {built - started:.0f} s, ran in {ran:.1f} s", flush=True)
    return run.stdout


if __name__ == "__main__":
    sys.exit(main())
