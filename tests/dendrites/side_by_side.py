"""One network trained twice from one seed: by perforatedai 3.2.9, and by our schedule, draws and module.

The library keeps its state in module globals and writes into the folder it runs in, so each case has a
process and a folder of its own. Run as a program this is a nursery: it imports everything once, reads
cases as lines of JSON, forks a process for each, and prints what came of it as a line of JSON.
"""

import json
import os
import pdb
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # every optimizer imports it with its first step: a second that the cases share
from torch import nn

from frustration import Architecture
from frustration.dataset import Part, Split
from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.module import DendriticMLP
from frustration.dendrites.schedule import Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.growth.step import grown
from frustration.engine.perforated import perforated
from frustration.engine.perforated.files import read_best_model
from frustration.engine.population import Epoch
from frustration.engine.torch import TorchBackend
from frustration.modes import EpochSettings
from frustration.network import Network, Shape
from frustration.simple_mlp import SimpleMLP

FEATURES, CLASSES, SAMPLES, BATCH = 12, 4, 240, 48
SAVE_NAME = "case"


def raising(*_args, **_kwargs):
    raise RuntimeError("the library stopped in its debugger")


class Data:
    """What a random network of two layers says of random points, and an order of samples for every epoch."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(11)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator)

        images = normal(2 * SAMPLES, FEATURES)
        labels = (torch.tanh(images @ normal(FEATURES, 9)) @ normal(9, CLASSES)).argmax(1)
        self.train, self.validation = images[:SAMPLES], images[SAMPLES:]
        self.labels, self.validation_labels = labels[:SAMPLES], labels[SAMPLES:]

    def batches(self, epoch: int):
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1000 + epoch))
        return order.split(BATCH)

    def train_epoch(self, module: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        module.train()
        for batch in self.batches(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(self.train[batch]), self.labels[batch]).backward()
            optimizer.step()

    @torch.no_grad()
    def score(self, module: nn.Module, maximize: bool) -> float:
        logits = module.eval()(self.validation)
        if maximize:
            return (logits.argmax(1) == self.validation_labels).float().mean().item()
        return nn.functional.cross_entropy(logits, self.validation_labels).item()


def start(case: dict) -> Network:
    shape = Shape(Architecture.parse(case["architecture"]), FEATURES, CLASSES)
    random = np.random.Generator(np.random.Philox(5))
    return shape.view(random.normal(0, 0.3, shape.size).astype(np.float32))


def optimizer_of(module: nn.Module, case: dict) -> torch.optim.Optimizer:
    parameters = [p for p in module.parameters() if p.requires_grad]
    if case.get("optimizer") == "sgd":
        return torch.optim.SGD(parameters, lr=case["lr"])
    return torch.optim.AdamW(parameters, lr=case["lr"], weight_decay=0.01, foreach=False)


def by_library(case: dict, settings: Settings, data: Data) -> list:
    """[score, action, dendrites] of every epoch, and the weights of the last network."""
    from perforatedai import globals_perforatedai as GPA
    from perforatedai import utils_perforatedai as UPA

    pdb.set_trace = raising
    pc = GPA.pc
    modes = {
        "history": pc.DOING_HISTORY,
        "fixed": pc.DOING_FIXED_SWITCH,
        "every": pc.DOING_SWITCH_EVERY_TIME,
        "none": pc.DOING_NO_SWITCH,
    }
    pc.set_switch_mode(modes[settings.switch_mode])
    for name in (
        "n_epochs_to_switch",
        "fixed_switch_num",
        "first_fixed_switch_num",
        "initial_history_after_switches",
        "history_lookback",
        "improvement_threshold_raw",
        "max_dendrites",
        "max_dendrite_tries",
        "retain_all_dendrites",
        "candidate_weight_initialization_multiplier",
        "candidate_weight_init_by_main",
        "testing_dendrite_capacity",
    ):
        getattr(pc, f"set_{name}")(getattr(settings, name))
    pc.set_improvement_threshold(list(settings.improvement_threshold))
    pc.set_pai_forward_function(getattr(torch, settings.pai_forward_function))
    for name in (
        "configuration_confirmed",
        "unwrapped_modules_confirmed",
        "checked_skipped_modules",
        "silent",
    ):
        getattr(pc, f"set_{name}")(True)
    pc.set_device(torch.device("cpu"))
    pc.set_output_dimensions([-1, 0])
    pc.set_find_best_lr(False)
    pc.set_test_saves(False)

    module = DendriticMLP.of(start(case))
    grows = settings.grown_layers([layer is module.linear_layers[-1] for layer in module.linear_layers])
    if not all(grows):
        pc.set_module_names_to_perforate([])
        pc.set_module_ids_to_perforate([f".layer_stack.{3 * n}" for n, it in enumerate(grows) if it])
    module = UPA.perforate_model(
        module, save_name=SAVE_NAME, maximizing_score=settings.maximizing_score, making_graphs=False
    )
    torch.manual_seed(case["seed"])
    optimizer = None
    told = []
    for epoch in range(case["epochs"]):
        if optimizer is None:
            optimizer = optimizer_of(module, case)
            GPA.pai_tracker.set_optimizer_instance(optimizer)
        data.train_epoch(module, optimizer, epoch)
        score = data.score(module, settings.maximizing_score)
        module, restructured, complete = GPA.pai_tracker.add_validation_score(score, module)
        action = "end" if complete else "grow" if restructured else "train"
        told.append([score, action, GPA.pai_tracker.member_vars["num_dendrites_added"]])
        if complete:
            break
        if restructured:
            optimizer = None
    UPA.save_system(module, SAVE_NAME, "last")
    return told


def by_us(case: dict, settings: Settings, data: Data) -> tuple[list, Network, Schedule]:
    draws, schedule = GrowthDraws.seeded(case["seed"]), Schedule(settings)
    network = saved = start(case)
    module, optimizer = DendriticMLP.of(network), None
    told = []
    for epoch in range(case["epochs"]):
        optimizer = optimizer or optimizer_of(module, case)
        data.train_epoch(module, optimizer, epoch)
        score = data.score(module, settings.maximizing_score)
        decision = schedule.observe(score)
        network = network.copy()
        module.give(network)
        if decision.save:
            saved = network
        if decision.restore:
            draws.restore(saved.shape)
            network = saved
        if decision.action == "grow":
            layers = settings.grown_layers(network.shape.outputs)
            network = grown(network, layers, settings, draws)
            if decision.save_grown:
                saved = network
            module, optimizer = DendriticMLP.of(network), None
        told.append([score, decision.action, schedule.added])
        if decision.action == "end":
            break
    return told, network, schedule


def compare(case: dict) -> dict:
    torch.set_num_threads(1)
    settings, data = Settings.of(case["settings"]), Data()
    theirs = by_library(case, settings, data)
    ours, network, schedule = by_us(case, settings, data)
    last = read_best_model(Path(SAVE_NAME, "last.pt"))
    same_shape = last.shape == network.shape
    return {
        "library": theirs,
        "ours": ours,
        "shapes": [repr(last.shape), repr(network.shape)],
        "distance": float(np.abs(last.vector - network.vector).max()) if same_shape else None,
        "same_bits": same_shape and last.vector.tobytes() == network.vector.tobytes(),
        "outcomes": [attempt.outcome for attempt in schedule.attempts],
        "predicted": schedule.loops_before_first_switch(),
    }


def stacked(case: dict) -> dict:
    """Largest distance of weights after every step: three networks in one population of the torch
    backend, and each alone as a network of the library."""
    shape = start(case).shape.with_dendrites(case["dendrites"])
    random = np.random.Generator(np.random.Philox(7))
    starts = [random.normal(0, 0.3, shape.size).astype(np.float32) for _ in range(3)]
    images = random.integers(0, 256, (SAMPLES, FEATURES), dtype=np.uint8)
    part = Part(images, random.integers(0, CLASSES, SAMPLES), CLASSES)
    values = np.linspace(-1, 1, 256, dtype=np.float32)
    steps = np.split(np.arange(SAMPLES), SAMPLES // BATCH)

    population = TorchBackend().population(shape, ("ppp",), Split.of("x", part, part, part, values), BATCH)
    ours: list = []
    moments: list = [None] * 3
    for slot, weights in enumerate(starts):
        population.load(slot, weights)
    for order in steps:
        settings = EpochSettings(learning_rate=case["lr"], weight_decay=0.01)
        epochs = {
            slot: Epoch(order=order, settings=settings, dropout_key=0, moments=moments[slot])
            for slot in range(3)
        }
        population.train(epochs, threading.Event())
        moments = [population.moments(slot) for slot in range(3)]
        ours.append([population.weights(slot) for slot in range(3)])

    settings = Settings()
    perforated.configure(settings, perforated.mlp_layers(len(shape.layers)), False, False)
    distances = [0.0] * len(steps)
    pixels, labels = torch.from_numpy(values[images]), torch.from_numpy(part.labels)
    for slot, weights in enumerate(starts):
        mlp = SimpleMLP(shape.architecture, FEATURES, CLASSES)
        network = perforated.PerforatedMLP(mlp, settings, False)
        network.grow_to(shape.dendrites)
        network.load(weights)
        optimizer = optimizer_of(network.module, case)
        for step, order in enumerate(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network.module(pixels[order]), labels[order]).backward()
            optimizer.step()
            apart = float(np.abs(network.weights() - ours[step][slot]).max())
            distances[step] = max(distances[step], apart)
    moved = min(float(np.abs(end - start).max()) for end, start in zip(ours[-1], starts, strict=True))
    return {"distances": distances, "moved": moved}


def in_a_process_of_its_own(case: dict) -> None:
    """Write the result of a case into its folder."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.chdir(case["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        Path("result.json").write_text(json.dumps((stacked if "dendrites" in case else compare)(case)))
    except BaseException:
        Path("error.txt").write_text(traceback.format_exc())
    finally:
        os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in sys.stdin:
        in_a_process_of_its_own(json.loads(line))
        print("done", flush=True)
