"""`python library_in_trainers.py transformers|lightning|ratchet`: perforatedai's networks in stock trainers.

A process of its own, because the library keeps its state in module globals. Prints a line of JSON.
"""

import json
import sys
import warnings

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


def main(which: str) -> None:
    torch.manual_seed(0)
    if which == "ratchet":
        network, _ = perforate(Net(), ["first", "second"])
        short = {"max_steps": 40, "save_strategy": "no"}
        settings = {"callback": "RatchetCallback", "mode": "hidden:dose=3", "seed": 3, "arguments": short}
        ratchet = fit_transformers(network, "out", **settings).callback_handler.callbacks[-1].ratchet
        units = [entry.get("hidden", {}).get("units") for entry in ratchet.evidence]
        print(json.dumps({"scores": ratchet.scores, "accepted": ratchet.accepted, "units": units}))
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
    print(json.dumps({"actions": actions, "held": held(optimizer) >= trained(network)}))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(sys.argv[1])
