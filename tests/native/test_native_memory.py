"""Where memory ends, one sentence says so, and what is there continues."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import frustration

SCRIPT = """
import resource, threading
import numpy as np
from frustration.architecture import Architecture
from frustration.dataset import Part, Split
from frustration.engine.native import NativeBackend
from frustration.engine.population import Epoch
from frustration.errors import FrustrationError
from frustration.modes import EpochSettings
from frustration.network import Shape

images = np.arange(6400, dtype=np.uint8).reshape(64, 100)
part = Part(images, np.arange(64) % 3, 3)
data = Split.of("made-up", part, part, part, np.linspace(-1, 1, 256).astype(np.float32))
backend = NativeBackend()
small, large = (Shape(Architecture.parse(text), 100, 3) for text in ("[2*20]", "[2*6000]"))
population = backend.population(small, ("ff",), data, 32)
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (256 << 20), resource.RLIM_INFINITY))
for attempt in range(3):
    try:
        backend.population(large, ("ff",), data, 32)
    except FrustrationError as error:
        print(error)
epoch = Epoch(order=np.arange(64), settings=EpochSettings(learning_rate=1e-3), dropout_key=0, moments=None)
assert np.isfinite(population.train({0: epoch, 1: epoch}, threading.Event())).all()
"""


def test_a_network_that_does_not_fit_is_refused_in_one_sentence_and_the_others_go_on(native):
    if not Path("/proc/self/statm").exists():
        pytest.skip("how much memory a process has taken is read from /proc, which this system lacks")
    environment = {**os.environ, "PYTHONPATH": str(Path(frustration.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=100
    )
    sentence = (
        "native engine: not enough memory; fewer threads, a smaller batch or smaller networks need less\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == (3 * sentence, "", 0)
