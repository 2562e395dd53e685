"""What perforatedai leaves behind, read into our form: its `best_model.pt`, which is safetensors.

The library's own export drops the dendrites of a network that has one on each neuron. This one does not.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from frustration.architecture import Architecture
from frustration.dendrites.settings import FORWARD_FUNCTIONS
from frustration.errors import InputError
from frustration.network import Network, Shape, Vector

WRAPPED = ".main_module"


def read_best_model(path: Path, forward_function: str | None = None) -> Network:
    """The network in a `best_model.pt` (or `latest.pt`, `switch_N.pt`) of a chain of linear layers.

    The file does not say which function its dendrites have; the `…_config.json` beside it does, and where
    neither does it is the library's default, sigmoid.
    """
    try:
        tensors = safetensors.numpy.load_file(path)
    except FileNotFoundError:
        raise InputError(f"there is no {path}") from None
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} is no file that perforatedai saved as safetensors: {error}") from None
    layers = _linear_layers(tensors)
    if not layers:
        raise InputError(f"{path} holds no linear layers as perforatedai names them")
    shapes = [_weight(tensors, layer).shape for layer in layers]
    for (outputs, _), (_, inputs) in itertools.pairwise(shapes):
        if outputs != inputs:
            raise InputError(f"{path} holds layers of {outputs} units below {inputs} inputs: no plain chain")
    counts = [_dendrites(tensors, layer) for layer in layers]
    shape = Shape(
        architecture=Architecture(tuple(int(outputs) for outputs, _ in shapes[:-1])),
        features=int(shapes[0][1]),
        classes=int(shapes[-1][0]),
        dendrites=tuple(counts),
        forward_function=forward_function or _function_beside(path),
    )
    network = Network(shape, np.empty(shape.size, np.float32))
    for number, layer in enumerate(layers):
        _fill(network, number, tensors, layer)
    return network


def _fill(network: Network, number: int, tensors: Mapping[str, Vector], layer: str) -> None:
    dendrites = network.shape.dendrites[number]
    network.weights[number][...] = _weight(tensors, layer)
    network.biases[number][...] = tensors[_own(tensors, layer) + ".bias"]
    if not dendrites:
        return
    inner = f"{layer}.dendrite_module"
    for k in range(dendrites):
        network.all_weights[number][k + 1] = tensors[f"{inner}.layers.{k}.weight"]
        network.all_biases[number][k + 1] = tensors[f"{inner}.layers.{k}.bias"]
    network.tops[number][...] = tensors[f"{layer}.dendrites_to_top.{dendrites - 1}"]  # earlier ones are dead
    links = [tensors[f"{inner}.dendrites_to_dendrites.{k}"] for k in range(1, dendrites)]
    if links:
        network.links[number][...] = np.concatenate(links)


def _linear_layers(tensors: Mapping[str, Vector]) -> list[str]:
    """Their names in the order of the model, which is that of the numbers in them."""
    names = set()
    for name in tensors:
        if ".dendrite_module." in name or not name.endswith(".weight"):
            continue
        names.add(name.removesuffix(".weight").removesuffix(WRAPPED))
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in _parts(name)])


def _parts(name: str) -> list[str]:
    return re.split(r"(\d+)", name)


def _own(tensors: Mapping[str, Vector], layer: str) -> str:
    """The name of a layer's own weights: a wrapped layer has them one level deeper."""
    return layer + WRAPPED if f"{layer}{WRAPPED}.weight" in tensors else layer


def _weight(tensors: Mapping[str, Vector], layer: str) -> Vector:
    return tensors[_own(tensors, layer) + ".weight"]


def _dendrites(tensors: Mapping[str, Vector], layer: str) -> int:
    start = f"{layer}.dendrite_module.layers."
    return len({name.removeprefix(start).split(".")[0] for name in tensors if name.startswith(start)})


def _function_beside(path: Path) -> str:
    for config in sorted(path.parent.glob("*_config.json")):
        try:
            said = str(json.loads(config.read_text()).get("pai_forward_function", ""))
        except (OSError, ValueError):
            continue
        for name in FORWARD_FUNCTIONS:
            if re.search(rf"\b{name}\b", said):
                return name
    return "sigmoid"
