"""One network trained twice from one seed: by perforatedai 3.2.9, and by `Growing`, in place.

`python library_beside_ours.py`: reads a case as a line of JSON, forks a process with a folder of its own for
it, because the library keeps its state in module globals, and prints what came of it as a line of JSON.
"""

import json
import os
import sys
import traceback
from pathlib import Path

import torch
import torch._dynamo
from networks import CNN, BlockCNN, Transformer, lora, normal
from torch import nn

from frustration.dendrites.settings import Settings
from frustration.engine.module.growing import Growing
from frustration.engine.perforated import perforated

CONV, LAST = 1, -1
NETWORKS = {
    "cnn": (CNN, (1, 8, 8), {"c1": CONV, "c2": CONV, "fc": LAST, "out": LAST}),
    "cnn, some layers": (CNN, (1, 8, 8), {"c2": CONV, "fc": LAST}),
    "block": (BlockCNN, (1, 8, 8), {"block": CONV, "out": LAST}),
    "transformer": (
        Transformer,
        (4, 8),
        {"encoder.layers.0.linear1": LAST, "encoder.layers.0.linear2": LAST, "out": LAST},
    ),
    "lora, whole layers": (lora, (6,), {"base_model.model.0": LAST, "base_model.model.2": LAST}),
    "lora, second factor": (
        lora,
        (6,),
        {"base_model.model.0.lora_B.default": LAST, "base_model.model.2.lora_B.default": LAST},
    ),
}
CLASSES, SAMPLES, BATCH = 4, 96, 24


class Data:
    def __init__(self, shape) -> None:
        x = normal(5, 2 * SAMPLES, *shape)
        labels = (torch.tanh(x.flatten(1) @ normal(6, x[0].numel(), 9)) @ normal(7, 9, CLASSES)).argmax(1)
        self.x, self.y = x.split(SAMPLES), labels.split(SAMPLES)

    def epoch(self, network, optimizer, epoch: int) -> None:
        network.train()
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(100 + epoch))
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(self.x[0][batch]), self.y[0][batch]).backward()
            optimizer.step()

    @torch.no_grad()
    def score(self, network) -> float:
        return (network.eval()(self.x[1]).argmax(1) == self.y[1]).float().mean().item()


def optimizer_of(network, case) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=case["lr"])


def start(case):
    make, shape, names = NETWORKS[case["network"]]
    torch.manual_seed(case["seed"])
    return make(), Data(shape), names


def by_library(case, settings: Settings):
    from perforatedai import globals_perforatedai as GPA
    from perforatedai import modules_perforatedai as MPA
    from perforatedai import utils_perforatedai as UPA

    torch.backends.mha.set_fastpath_enabled(False)
    perforated.fence_off()
    network, data, names = start(case)
    perforated.configure(settings, list(names), False, False)
    outputs = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(
            lambda _m, _i, output, name=name: outputs.update({name: output.dim()})
        )
        for name in names
    ]
    network.eval()
    with torch.no_grad():
        network(data.x[0][:2])
    for hook in hooks:
        hook.remove()
    network = UPA.perforate_model(network, save_name="case", maximizing_score=True, making_graphs=False)
    for name, axis in names.items():
        layer = network.get_submodule(name)
        assert isinstance(layer, MPA.PAINeuronModule), name
        dims = [-1] * outputs[name]
        dims[axis] = 0
        layer.set_this_output_dimensions(dims)
    curve = []
    torch.manual_seed(case["seed"] + 1)
    optimizer = optimizer_of(network, case)
    GPA.pai_tracker.set_optimizer_instance(optimizer)
    for epoch in range(case["epochs"]):
        data.epoch(network, optimizer, epoch)
        score = data.score(network)
        network, grown, done = GPA.pai_tracker.add_validation_score(score, network)
        counts = [int(network.get_submodule(name).dendrite_modules_added) for name in names]
        curve.append([score, "done" if done else "grown" if grown else "train", counts])
        if done:
            break
        if grown:
            optimizer = optimizer_of(network, case)
            GPA.pai_tracker.set_optimizer_instance(optimizer)
    network.eval()
    with torch.no_grad():
        return curve, network(data.x[1])


def by_ours(case, settings: Settings):
    network, data, names = start(case)
    growing = Growing(network, names, settings)
    curve = []
    torch.manual_seed(case["seed"] + 1)
    optimizer = optimizer_of(network, case)
    for epoch in range(case["epochs"]):
        data.epoch(network, optimizer, epoch)
        score = data.score(network)
        event = growing.observe(score)
        curve.append([score, event, [growing.dendrites[name] for name in names]])
        if event == "done":
            break
        if event == "grown":
            optimizer = optimizer_of(network, case)
    network.eval()
    with torch.no_grad():
        return curve, network(data.x[1])


def both(case) -> dict:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    settings = Settings.of(case["settings"])
    library, theirs = by_library(case, settings)
    ours, output = by_ours(case, settings)
    return {
        "library": library,
        "ours": ours,
        "distance": float((theirs - output).abs().max()),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    real = sys.stdout
    sys.stdout = sys.stderr
    from perforatedai import utils_perforatedai  # noqa: F401  # once, for all cases

    for number, line in enumerate(sys.stdin):
        own = folder / str(number)
        own.mkdir()
        if child := os.fork():
            os.waitpid(child, 0)
            result, error = own / "result.json", own / "error.txt"
            said = result.read_text() if result.exists() else json.dumps({"error": error.read_text()})
            print(said, file=real, flush=True)
            continue
        try:
            os.chdir(own)
            (own / "result.json").write_text(json.dumps(both(json.loads(line))))
        except BaseException:
            (own / "error.txt").write_text(traceback.format_exc())
        finally:
            os._exit(0)


if __name__ == "__main__":
    main()
