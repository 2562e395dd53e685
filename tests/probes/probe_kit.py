"""What the tests of probes share: a study, networks with random weights, and a plain second opinion."""

import json
import threading
from typing import Any

import numpy as np
import torch

from frustration.architecture import Architecture
from frustration.network import Shape
from frustration.probes.forward import Images
from frustration.probes.networks import Kept, layers_of, module_of
from frustration.probes.run import Outcome, run_probes
from frustration.probes.settings import Wanted
from frustration.study.probe_files import ProbeFiles
from frustration.study.store import Store

STUDY = """
name = "small"
architectures = ["[1*6]", "[1*5, 1*4]"]
modes = ["none", "hidden", "hidden:dose=0"]
trials = 2
meta_loops = 2
train_fraction = 0.04
learning_rate = 1e-2
"""
QUICK = Wanted.of(draws=6, images=500)
NEVER = threading.Event()


def random_network(
    architecture: str,
    features: int = 12,
    classes: int = 4,
    dendrites: tuple[int, ...] = (),
    function: str = "sigmoid",
) -> Kept:
    shape = Shape(Architecture.parse(architecture), features, classes, dendrites, function)
    weights = np.random.default_rng(0).normal(0, 0.7, shape.size).astype(np.float32)
    return with_weights(shape, weights)


def with_weights(shape: Shape, weights: np.ndarray) -> Kept:
    return Kept(shape.view(weights), "")


def layers(kept: Kept):
    return layers_of(kept.shape, torch.from_numpy(kept.weights)[None])


def random_images(kept: Kept, count: int = 1_500, seed: int = 1) -> Images:
    """More than a chunk."""
    generator = np.random.default_rng(seed)
    pixels = generator.normal(size=(count, kept.shape.features)).astype(np.float32)
    labels = generator.integers(0, kept.shape.classes, count)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels))


@torch.no_grad()
def accuracy(kept: Kept, images: Images, silenced: Any = ()) -> float:
    """Percent, by nn.Linear, with hidden units [numbers, counted through all layers] set to 0 by hooks."""
    module = module_of(kept)
    bounds = np.cumsum([0, *kept.shape.architecture.hidden])
    for number, relu in enumerate(one for one in module.layer_stack if isinstance(one, torch.nn.ReLU)):
        here = [unit - bounds[number] for unit in silenced if bounds[number] <= unit < bounds[number + 1]]

        def silence(_module, _inputs, output, here=here):
            output = output.clone()
            output[:, here] = 0
            return output

        relu.register_forward_hook(silence)
    return 100 * int((module(images.pixels).argmax(1) == images.labels).sum()) / len(images)


def probed(store: Store, wanted: Wanted = QUICK, **how: Any) -> Outcome:
    return run_probes(store, wanted, **{"workers": 1, **how})


def contents(store: Store, without: tuple[str, ...] = ("latency",)) -> dict[str, str]:
    """What is in every probe file, as text, without what was timed."""
    files, found = ProbeFiles(store.root), {}
    for trial_id in files.ids():
        content = files.read(trial_id)
        for measure in without:
            content["measures"].pop(measure, None)
        found[trial_id] = json.dumps(content)
    return found


def measure(store: Store, name: str) -> dict[str, dict[str, Any]]:
    """One measure by trial."""
    files = ProbeFiles(store.root)
    return {trial_id: files.read(trial_id)["measures"][name] for trial_id in files.ids()}
