"""What the files of a trial hold, written and read: the LKG alone, or the whole state of the trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frustration.architecture import Architecture
from frustration.engine.growth.growth import growth_from_dict
from frustration.engine.population import OptimizerState
from frustration.engine.trial import RunnerUp, Trial
from frustration.network import DENDRITES, Shape, Vector, state_names
from frustration.original.pickles import is_pickle, loops_of, unpickle
from frustration.protocols import AnyNetwork, AnyShape
from frustration.record import LoopEntry, Session
from frustration.references import ProblemReference
from frustration.sealed import CheckpointError, is_ours, pack, read, unpack
from frustration.spec import TrialSpec

LKG_FORMAT = "frustration-lkg-1"
RESUME_FORMAT = "frustration-resume-1"
MOMENTS = ("mean", "square")
"""Of AdamW; what another optimizer remembers is named in the state."""


@dataclass(kw_only=True)
class Saved:
    """A checkpoint as it was found."""

    architecture: Architecture | ProblemReference
    features: int
    classes: int
    dataset: str | None
    """None where the file does not say: the original's never did, and were MNIST's."""
    seed: int | None
    trial_number: int | None
    sessions: list[Session]
    """Of `train`, that it went through; none where another program wrote it."""
    trial: Trial | None
    """The whole state, where the resume file was there."""
    lkg: AnyNetwork
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
            shape=self.lkg.shape.with_dendrites((0,) * len(self.lkg.shape.dendrites)),
            base=self.lkg,
            lkg=self.lkg,
            loop=self.loop,
            base_accuracy=self.bounty,
            bounty=self.bounty,
            bounty_loop=self.bounty_loop,
            patience=spec.acceptance.patience,
            continued=True,
            sessions=self.sessions,
            unscored=self.bounty is None,
        )


def pack_lkg(trial: Trial) -> bytes:
    metadata = {
        "format": LKG_FORMAT,
        **_what(trial.shape),
        "dataset": trial.spec.dataset,
        "mode_history": json.dumps([vars(session) for session in trial.sessions]),
        "meta_loops": str(trial.loop),
        "bounty": json.dumps(trial.bounty),
        "bounty_loop": json.dumps(trial.bounty_loop),
        "seed": str(trial.spec.seed),
        "trial": str(trial.spec.trial),
    }
    if trial.lkg.shape.grown:
        metadata |= dendrites_of(trial.lkg.shape)
    return pack(trial.lkg.to_state(), metadata)


def _what(shape: AnyShape) -> dict[str, str]:
    """What the metadata of an LKG says of its network."""
    subject, features, classes = shape.form
    if isinstance(subject, ProblemReference):
        return {"problem": json.dumps(subject.to_dict())}
    return {"architecture": str(subject), "features": str(features), "classes": str(classes)}


def dendrites_of(shape: AnyShape) -> dict[str, str]:
    """What the metadata of a grown network says: how many dendrites each linear layer has, and which."""
    return {"dendrites": json.dumps(shape.dendrites), "forward_function": shape.forward_function}


def pack_resume(trial: Trial) -> bytes:
    networks: dict[str, AnyNetwork] = {"lkg": trial.lkg}
    if trial.base is not trial.lkg:
        networks["base"] = trial.base
    if trial.runner_up is not None:
        networks["runner_up"] = trial.runner_up.network
    if trial.moments is not None:
        networks |= {role: _as_network(trial.base, vector) for role, vector in trial.moments.vectors.items()}
    if trial.growth is not None and trial.growth.saved is not None:
        networks["saved"] = trial.growth.saved
    tensors = {
        name: array
        for role, network in networks.items()
        for name, array in network.to_state(f"{role}.").items()
    }
    runner_up = trial.runner_up
    state = {
        "spec": trial.spec.to_dict(),
        "features": trial.shape.form[1],
        "classes": trial.shape.form[2],
        "loop": trial.loop,
        "base_accuracy": trial.base_accuracy,
        "bounty": trial.bounty,
        "bounty_loop": trial.bounty_loop,
        "failures": trial.failures,
        "patience": trial.patience,
        "runner_up": {"accuracy": runner_up.accuracy, "loop": runner_up.loop} if runner_up else None,
        "steps": trial.moments.numbers.get("steps") if trial.moments else None,
        "seconds": trial.seconds,
        "numerics": trial.numerics,
        "past_numerics": trial.past_numerics,
        "continued": trial.continued,
        "ended": trial.ended,
        "unscored": trial.unscored,
        "test_accuracy": trial.test_accuracy,
        "history": [vars(session) for session in trial.sessions],
    }
    if trial.growth is not None:
        state |= {"growth": trial.growth.to_dict(), "stopped": trial.stopped}
    if trial.moments is not None and set(trial.moments.vectors) != set(MOMENTS):
        memory = {"vectors": sorted(trial.moments.vectors), "numbers": dict(trial.moments.numbers)}
        state["memory"] = memory
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

    def network(role: str) -> AnyNetwork | None:
        prefix = f"{role}."
        if not any(name.startswith(prefix) for name in tensors):
            return None
        return shape.from_state(tensors, prefix, functions.get(role))

    lkg, base = network("lkg"), network("base")
    if lkg is None:
        raise CheckpointError("it holds no LKG")
    best = network("runner_up")
    memory = state.get("memory", {"vectors": list(MOMENTS), "numbers": {"steps": state["steps"]}})
    vectors = {
        role: kept.vector[: kept.shape.parameters]
        for role in memory["vectors"]
        if (kept := network(role)) is not None
    }
    moments = OptimizerState(vectors, memory["numbers"]) if vectors or "memory" in state else None
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
        sessions=[Session(**session) for session in state["history"]],
        continued=state["continued"],
        ended=state["ended"],
        unscored=state["unscored"],
        test_accuracy=state["test_accuracy"],
    )
    subject, features, classes = shape.form
    return Saved(
        architecture=subject,
        features=features,
        classes=classes,
        dataset=spec.dataset,
        seed=spec.seed,
        trial_number=spec.trial,
        sessions=trial.sessions,
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
        lkg = shape.from_state(tensors, "", metadata.get("forward_function"))
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"its layers do not fit together: {error}") from None
    ours = is_ours(metadata)
    if ours and metadata["format"] != LKG_FORMAT:
        raise CheckpointError(f'its format is "{metadata["format"]}"; this version reads "{LKG_FORMAT}"')
    bounty_loop = json.loads(metadata["bounty_loop"]) if ours else counts.get("bounty_meta_loop")
    subject, features, classes = shape.form
    return Saved(
        architecture=subject,
        features=features,
        classes=classes,
        dataset=metadata.get("dataset"),
        seed=int(metadata["seed"]) if ours else None,
        trial_number=int(metadata["trial"]) if ours else None,
        sessions=_sessions(metadata["mode_history"]) if ours else [],
        trial=None,
        lkg=lkg,
        loop=int(metadata["meta_loops"]) if ours else loops_of(counts),
        bounty=json.loads(metadata["bounty"]) if ours else None,
        bounty_loop=bounty_loop,
    )


def _sessions(text: str) -> list[Session]:
    try:
        return [Session(**session) for session in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"its sessions are not such as this version writes: {error}") from None


def _as_network(base: AnyNetwork, vector: Vector) -> AnyNetwork:
    """A vector as long as what is trained, under the names of a network's tensors."""
    rest = np.zeros(base.shape.size - len(vector), np.float32)
    whole: AnyNetwork = base.shape.view(np.concatenate([vector, rest]) if len(rest) else vector)
    return whole


def _shape_of(tensors: Mapping[str, Vector], metadata: Mapping[str, str]) -> AnyShape:
    """The shape of a state dict of SimpleMLP or of a problem's network, without dendrites."""
    if "problem" in metadata:
        return ProblemReference.from_dict(json.loads(metadata["problem"])).shape()
    own = [name for name in tensors if not name.endswith(DENDRITES)]
    names = state_names(Architecture((1,) * (len(own) // 2 - 1))) if len(own) >= 2 else []
    if {f"{name}.{part}" for name in names for part in ("weight", "bias")} != set(own) or not names:
        found = ", ".join(sorted(tensors)[:4]) or "nothing"
        raise CheckpointError(f"it does not hold the layers of a SimpleMLP but {found}")
    weights = [tensors[f"{name}.weight"] for name in names]
    if any(weight.ndim != 2 for weight in weights):
        raise CheckpointError("its weights are not matrices")
    architecture = Architecture(tuple(int(weight.shape[0]) for weight in weights[:-1]))
    return Shape(architecture, int(weights[0].shape[1]), int(weights[-1].shape[0]))
