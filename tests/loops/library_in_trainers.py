"""`python library_in_trainers.py WHAT...`: perforatedai's networks in stock trainers.

WHAT is transformers, lightning or ratchet. A process for each, because the library keeps its state in module
globals: a fork of this one, which imports everything once. Each leaves WHAT/result.json behind.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path

import forked
import torch
from trainer_cases import Net, fit_lightning, fit_transformers, held, replayed, trained

from frustration.dendrites import Settings
from frustration.engine.perforated import perforated
from frustration.loops.library import LibraryGrowth

SETTINGS = {"n_epochs_to_switch": 1, "max_dendrites": 2, "max_dendrite_tries": 1}


def perforate(network, names):
    from perforatedai import utils_perforatedai as UPA

    perforated.fence_off()
    perforated.configure(Settings(maximizing_score=False, **SETTINGS), names, False, False)
    made = UPA.perforate_model(network, save_name="case", maximizing_score=False, making_graphs=False)
    return made, LibraryGrowth(made, maximize=False)


class Scored(LibraryGrowth):
    """The same, and it writes down what it was told."""

    def __init__(self, growth):
        self.__dict__.update(growth.__dict__)
        self.scores = []

    def add_score(self, score):
        self.scores.append(score)
        return super().add_score(score)


def tell(result: dict[str, object]) -> None:
    Path("result.json").write_text(json.dumps(result))


def main(which: str) -> None:
    torch.manual_seed(0)
    if which == "ratchet":
        network, _ = perforate(Net(), ["first", "second"])
        short = {"max_steps": 40, "save_strategy": "no"}
        settings = {"callback": "RatchetCallback", "mode": "hidden:dose=3", "seed": 3, "arguments": short}
        ratchet = fit_transformers(network, "out", **settings).callback_handler.callbacks[-1].ratchet
        units = [entry.get("hidden", {}).get("units") for entry in ratchet.evidence]
        tell({"scores": ratchet.scores, "accepted": ratchet.accepted, "units": units})
        return
    if which == "transformers":
        network, growth = perforate(Net(), ["first", "second"])
        growth = Scored(growth)
        trainer = fit_transformers(network, "out", growth=growth, arguments={"save_strategy": "no"})
        optimizer = trainer.optimizer
    else:
        from trainer_cases import lightning_module

        module = lightning_module()
        network, growth = perforate(module, ["net.first", "net.second"])
        growth = Scored(growth)
        trainer = fit_lightning(network, "out", growth=growth)
        optimizer = trainer.optimizers[0]
    actions = replayed(growth.scores, maximize=False, **SETTINGS)
    tell({"actions": actions, "held": held(optimizer) >= trained(network)})


def ended_well(which: str) -> bool:
    """`main` in a folder and a process of its own."""
    folder = Path(which)
    folder.mkdir()
    well = forked.ended(forked.start(folder, folder / "said.txt", main, which)) == 0
    if not well:
        print((folder / "said.txt").read_text(), file=sys.stderr)
    return well


if __name__ == "__main__":
    for name in ("lightning", "transformers", "perforatedai.utils_perforatedai"):
        importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.exit(not all(ended_well(which) for which in sys.argv[1:]))
