"""What the files of a trial hold, written and read: the LKG alone, or the whole state of the trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frustration.architecture import Architecture
from frustration.engine.growth.growth import growth_from_dict
from frustration.engine.population import Moments
from frustration.engine.trial import RunnerUp, Trial
from frustration.network import DENDRITES, Network, Shape, Vector, from_state, state_names, to_state
from frustration.original.pickles import is_pickle, loops_of, unpickle
from frustration.record import LoopEntry
from frustration.sealed import CheckpointError, is_ours, pack, read, unpack
from frustration.spec import TrialSpec

LKG_FORMAT = "frustration-lkg-1"
RESUME_FORMAT = "frustration-resume-1"


@dataclass(kw_only=True)
class Saved:
    """A checkpoint as it was found."""

    architecture: Architecture
    features: int
    classes: int
    dataset: str | None
    """None where the file does not say: the original's never did, and were MNIST's."""
    seed: int | None
    trial_number: int | None
    history: list[dict[str, Any]]
    """The sessions it went through: treatment, first loop, target."""
    trial: Trial | None
    """The whole state, where the resume file was there."""
    lkg: Network
    loop: int
    bounty: float | None
    bounty_loop: int | None

    def revive(self, spec: TrialSpec) -> Trial:
        """A trial that goes on from here under a spec of the caller's."""
        if self.trial is not None:
            self.trial.spec = spec
            return self.trial
        return Trial(
            spec=spec,
            shape=Shape(self.architecture, self.features, self.classes),
            base=self.lkg,
            lkg=self.lkg,
            loop=self.loop,
            base_accuracy=self.bounty,
            bounty=self.bounty,
            bounty_loop=self.bounty_loop,
            patience=spec.acceptance.patience,
            continued=True,
            unscored=self.bounty is None,
        )


def pack_lkg(trial: Trial, history: list[dict[str, Any]]) -> bytes:
    metadata = {
        "format": LKG_FORMAT,
        "architecture": str(trial.shape.architecture),
        "features": str(trial.shape.features),
        "classes": str(trial.shape.classes),
        "dataset": trial.spec.dataset,
        "mode_history": json.dumps(history),
        "meta_loops": str(trial.loop),
        "bounty": json.dumps(trial.bounty),
        "bounty_loop": json.dumps(trial.bounty_loop),
        "seed": str(trial.spec.seed),
        "trial": str(trial.spec.trial),
    }
    if trial.lkg.shape.grown:
        metadata |= dendrites_of(trial.lkg.shape)
    return pack(dict(to_state(trial.lkg)), metadata)


def dendrites_of(shape: Shape) -> dict[str, str]:
    """What the metadata of a grown network says: how many dendrites each linear layer has, and which."""
    return {"dendrites": json.dumps(shape.dendrites), "forward_function": shape.forward_function}


def pack_resume(trial: Trial, history: list[dict[str, Any]]) -> bytes:
    networks: dict[str, Network] = {"lkg": trial.lkg}
    if trial.base is not trial.lkg:
        networks["base"] = trial.base
    if trial.runner_up is not None:
        networks["runner_up"] = trial.runner_up.network
    if trial.moments is not None:
        moments = {"mean": trial.moments.mean, "square": trial.moments.square}
        networks |= {role: trial.base.shape.view(vector) for role, vector in moments.items()}
    if trial.growth is not None and trial.growth.saved is not None:
        networks["saved"] = trial.growth.saved
    tensors = {
        name: array
        for role, network in networks.items()
        for name, array in to_state(network, f"{role}.").items()
    }
    runner_up = trial.runner_up
    state = {
        "spec": trial.spec.to_dict(),
        "features": trial.shape.features,
        "classes": trial.shape.classes,
        "loop": trial.loop,
        "base_accuracy": trial.base_accuracy,
        "bounty": trial.bounty,
        "bounty_loop": trial.bounty_loop,
        "failures": trial.failures,
        "patience": trial.patience,
        "runner_up": {"accuracy": runner_up.accuracy, "loop": runner_up.loop} if runner_up else None,
        "steps": trial.moments.steps if trial.moments else None,
        "seconds": trial.seconds,
        "numerics": trial.numerics,
        "past_numerics": trial.past_numerics,
        "continued": trial.continued,
        "ended": trial.ended,
        "unscored": trial.unscored,
        "test_accuracy": trial.test_accuracy,
        "history": history,
    }
    if trial.growth is not None:
        state |= {"growth": trial.growth.to_dict(), "stopped": trial.stopped}
    functions = {role: network.shape.forward_function for role, network in networks.items()}
    if any(network.shape.grown for network in networks.values()):
        state["forward_functions"] = functions
    curve = ", ".join([json.dumps(entry.to_dict(), allow_nan=False) for entry in trial.curve])
    text = f'{json.dumps(state, allow_nan=False)[:-1]}, "curve": [{curve}]}}'
    return pack(tensors, {"format": RESUME_FORMAT, "state": text})


def unpack_resume(content: bytes) -> Saved:
    tensors, metadata = unpack(content)
    if metadata.get("format") != RESUME_FORMAT:
        raise CheckpointError(f'its format is "{metadata.get("format")}", not "{RESUME_FORMAT}"')
    try:
        return _saved(json.loads(metadata["state"]), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"its state is not one that this version writes: {error!r}") from None


def _saved(state: dict[str, Any], tensors: dict[str, Vector]) -> Saved:
    spec = TrialSpec.from_dict(state["spec"])
    shape = spec.shape(state["features"], state["classes"])
    functions = state.get("forward_functions", {})

    def network(role: str) -> Network | None:
        prefix = f"{role}."
        if not any(name.startswith(prefix) for name in tensors):
            return None
        grown = shape.with_dendrites(_dendrites(shape.architecture, tensors, prefix), functions.get(role))
        return from_state(grown, tensors, prefix)

    lkg, base, mean, square = network("lkg"), network("base"), network("mean"), network("square")
    if lkg is None:
        raise CheckpointError("it holds no LKG")
    best = network("runner_up")
    moments = None
    if mean is not None and square is not None:
        moments = Moments(mean.vector, square.vector, state["steps"])
    growth = None
    if "growth" in state:
        growth = growth_from_dict(spec.program, state["growth"], network("saved"))
    trial = Trial(
        spec=spec,
        shape=shape,
        base=lkg if base is None else base,
        lkg=lkg,
        loop=state["loop"],
        base_accuracy=state["base_accuracy"],
        bounty=state["bounty"],
        bounty_loop=state["bounty_loop"],
        moments=moments,
        failures=state["failures"],
        patience=state["patience"],
        runner_up=RunnerUp(network=best, **state["runner_up"]) if best is not None else None,
        growth=growth,
        stopped=state.get("stopped", False),
        curve=[LoopEntry(**entry) for entry in state["curve"]],
        seconds=state["seconds"],
        numerics=state["numerics"],
        past_numerics=state["past_numerics"],
        continued=state["continued"],
        ended=state["ended"],
        unscored=state["unscored"],
        test_accuracy=state["test_accuracy"],
    )
    return Saved(
        architecture=shape.architecture,
        features=shape.features,
        classes=shape.classes,
        dataset=spec.dataset,
        seed=spec.seed,
        trial_number=spec.trial,
        history=state["history"],
        trial=trial,
        lkg=lkg,
        loop=trial.loop,
        bounty=trial.bounty,
        bounty_loop=trial.bounty_loop,
    )


def unpack_lkg(path: Path) -> Saved:
    """The LKG in any form that ever lay under this name: ours, bare safetensors, and two pickles."""
    content = read(path)
    if is_pickle(content):
        tensors, counts = unpickle(content)
        metadata: dict[str, str] = {}
    else:
        tensors, metadata = unpack(content)
        counts = {}
    shape = _shape_of(tensors, metadata)
    try:
        lkg = from_state(shape, tensors)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"its layers do not fit together: {error}") from None
    ours = is_ours(metadata)
    if ours and metadata["format"] != LKG_FORMAT:
        raise CheckpointError(f'its format is "{metadata["format"]}"; this version reads "{LKG_FORMAT}"')
    bounty_loop = json.loads(metadata["bounty_loop"]) if ours else counts.get("bounty_meta_loop")
    return Saved(
        architecture=shape.architecture,
        features=shape.features,
        classes=shape.classes,
        dataset=metadata.get("dataset"),
        seed=int(metadata["seed"]) if ours else None,
        trial_number=int(metadata["trial"]) if ours else None,
        history=json.loads(metadata["mode_history"]) if ours else [],
        trial=None,
        lkg=lkg,
        loop=int(metadata["meta_loops"]) if ours else loops_of(counts),
        bounty=json.loads(metadata["bounty"]) if ours else None,
        bounty_loop=bounty_loop,
    )


def _shape_of(tensors: Mapping[str, Vector], metadata: Mapping[str, str]) -> Shape:
    """The shape of a state dict of SimpleMLP, with its dendrites if it has any."""
    own = [name for name in tensors if not name.endswith(DENDRITES)]
    names = state_names(Architecture((1,) * (len(own) // 2 - 1))) if len(own) >= 2 else []
    if {f"{name}.{part}" for name in names for part in ("weight", "bias")} != set(own) or not names:
        found = ", ".join(sorted(tensors)[:4]) or "nothing"
        raise CheckpointError(f"it does not hold the layers of a SimpleMLP but {found}")
    weights = [tensors[f"{name}.weight"] for name in names]
    if any(weight.ndim != 2 for weight in weights):
        raise CheckpointError("its weights are not matrices")
    architecture = Architecture(tuple(int(weight.shape[0]) for weight in weights[:-1]))
    shape = Shape(architecture, int(weights[0].shape[1]), int(weights[-1].shape[0]))
    return shape.with_dendrites(_dendrites(architecture, tensors, ""), metadata.get("forward_function"))


def _dendrites(architecture: Architecture, tensors: Mapping[str, Vector], prefix: str) -> list[int]:
    """How many dendrites the units of every linear layer have."""
    tops = [tensors.get(f"{prefix}{name}.tops") for name in state_names(architecture)]
    return [0 if top is None else len(top) for top in tops]
