"""The contents of the files of a trial: the LKG alone, or the whole state of the trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frustration.architecture import Architecture
from frustration.checkpoint_fields import KEPT, LKG_FORMAT, read_description, read_state
from frustration.curve_file import NOTHING_KEPT, CurveEnd, CurveLines, entries_of, new_lines, read_curve
from frustration.engine.growth.make import growth_from_dict
from frustration.engine.population import OptimizerState
from frustration.engine.trial import RunnerUp, Trial
from frustration.errors import InputError
from frustration.files import write_atomically
from frustration.network import DENDRITES, Shape, Vector, state_names
from frustration.original.pickles import is_pickle, loops_of, unpickle
from frustration.protocols import AnyNetwork, AnyShape
from frustration.record import LoopEntry, TrialRecord
from frustration.record_reading import read_spec
from frustration.references import ProblemReference
from frustration.sealed import CheckpointError, is_ours, pack, read, unpack
from frustration.spec import TrialSpec
from frustration.treatment import Session
from frustration.typed import parse

NETWORKS = ("lkg", "base", "runner_up", "saved")
"""Tensors that are trained on; what an optimizer remembers may overflow where weights do not."""
MOMENTS = ("mean", "square")
"""Of AdamW; what another optimizer remembers is named in the state."""
RESUME_FORMAT = "frustration-resume-2"
OLDER_RESUME = "frustration-resume-1"
"""With the whole curve inside."""


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

    def is_of(self, record: TrialRecord) -> bool:
        """Whether an LKG says of itself what the record of its trial says; that of another trial does not."""
        spec = record.spec
        said = self.dataset, self.seed, self.trial_number, self.bounty, self.bounty_loop
        return said == (spec.dataset, spec.seed, spec.trial, record.bounty, record.bounty_loop)

    def revive(self, spec: TrialSpec) -> Trial:
        """A trial that resumes from here under a spec of the caller's."""
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


@dataclass(frozen=True)
class Checkpoint:
    """What keeps a trial between two loops: its resume file, and what its curve has more than is kept."""

    resume: bytes
    lines: CurveLines
    end: CurveEnd

    def write(self, resume: Path, curve: Path) -> None:
        """The lines come first: they are not read until the resume file counts them."""
        self.lines.write(curve)
        write_atomically(resume, self.resume)


def pack_lkg(trial: Trial) -> bytes:
    check_finite("the LKG", trial.lkg)
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


def pack_resume(trial: Trial) -> Checkpoint:
    """The checkpoint of a trial; once it is written, `trial.kept` has to become its end."""
    networks: dict[str, AnyNetwork] = {"lkg": trial.lkg}
    if trial.base is not trial.lkg:
        networks["base"] = trial.base
    if trial.runner_up is not None:
        networks["runner_up"] = trial.runner_up.network
    if trial.moments is not None:
        networks |= {role: _as_network(trial.base, vector) for role, vector in trial.moments.vectors.items()}
    if trial.growth is not None and trial.growth.saved is not None:
        networks["saved"] = trial.growth.saved
    for role, network in networks.items():
        if role in NETWORKS:
            check_finite(f"the network {role}", network)
    lines, end = new_lines(trial.curve, trial.kept)
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
        **{name: getattr(trial, name) for name in KEPT},
        "runner_up": {"accuracy": runner_up.accuracy, "loop": runner_up.loop} if runner_up else None,
        "steps": trial.moments.steps if trial.moments and "steps" in trial.moments.numbers else None,
        "history": [vars(session) for session in trial.sessions],
        "curve": end.to_dict(),
    }
    if trial.growth is not None:
        state |= {"growth": trial.growth.to_dict(), "stopped": trial.stopped}
    if trial.moments is not None and set(trial.moments.vectors) != set(MOMENTS):
        memory = {"vectors": sorted(trial.moments.vectors), "numbers": dict(trial.moments.numbers)}
        state["memory"] = memory
    functions = {role: network.shape.forward_function for role, network in networks.items()}
    if any(network.shape.grown for network in networks.values()):
        state["forward_functions"] = functions
    text = json.dumps(state, allow_nan=False)
    return Checkpoint(pack(tensors, {"format": RESUME_FORMAT, "state": text}), lines, end)


def check_finite(what: str, network: AnyNetwork) -> None:
    """Weights that are not finite are never written over good ones, and never trained on."""
    if not np.isfinite(network.vector).all():
        raise CheckpointError(f"{what} has weights that are not finite numbers")


def unpack_resume(content: bytes, curve: Path) -> Saved:
    """A resume file, and as much of the curve beside it as it counts."""
    tensors, metadata = unpack(content)
    if metadata.get("format") not in (RESUME_FORMAT, OLDER_RESUME):
        raise CheckpointError(f'its format is "{metadata.get("format")}", not "{RESUME_FORMAT}"')
    state = read_state(metadata.get("state", ""))
    try:
        return _saved(state, tensors, curve)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise CheckpointError(f"its state is not one that this version writes: {error!r}") from None


def _saved(state: dict[str, Any], tensors: dict[str, Vector], curve: Path) -> Saved:
    spec = read_spec(state["spec"])
    end, entries = _curve(state["curve"], curve)
    shape = spec.shape(state["features"], state["classes"])
    functions = state.get("forward_functions", {})

    def network(role: str) -> AnyNetwork | None:
        prefix = f"{role}."
        if not any(name.startswith(prefix) for name in tensors):
            return None
        found = shape.from_state(tensors, prefix, functions.get(role))
        if role in NETWORKS:
            check_finite(f"the network {role}", found)
        return found

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
        moments=moments,
        runner_up=RunnerUp(network=best, **state["runner_up"]) if best is not None else None,
        growth=growth,
        stopped=state.get("stopped", False),
        curve=entries,
        kept=end,
        sessions=_sessions(state["history"]),
        **{name: state[name] for name in KEPT},
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


def _curve(state: Any, path: Path) -> tuple[CurveEnd, list[LoopEntry]]:
    """The curve and how much of it is in its file: nothing where it is inside, as in older versions."""
    try:
        if isinstance(state, list):
            return NOTHING_KEPT, entries_of(state)
        end = CurveEnd.from_dict(state)
    except InputError as error:
        raise CheckpointError(f"its state is not one that this version writes: {error}") from None
    return end, read_curve(path, end)


def unpack_lkg(path: Path) -> Saved:
    """The LKG in any form that was ever saved under this name: ours, bare safetensors, and two pickles."""
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
    check_finite("the LKG", lkg)
    about = read_description(metadata, shape) if is_ours(metadata) else None
    subject, features, classes = shape.form
    return Saved(
        architecture=subject,
        features=features,
        classes=classes,
        dataset=metadata.get("dataset"),
        seed=about["seed"] if about else None,
        trial_number=about["trial"] if about else None,
        sessions=_sessions(about["mode_history"]) if about else [],
        trial=None,
        lkg=lkg,
        loop=about["meta_loops"] if about else loops_of(counts),
        bounty=about["bounty"] if about else None,
        bounty_loop=about["bounty_loop"] if about else counts.get("bounty_meta_loop"),
    )


def _sessions(values: list[dict[str, Any]]) -> list[Session]:
    return [Session(**session) for session in values]


def _as_network(base: AnyNetwork, vector: Vector) -> AnyNetwork:
    """A vector as long as what is trained, under the names of a network's tensors."""
    rest = np.zeros(base.shape.size - len(vector), np.float32)
    whole: AnyNetwork = base.shape.view(np.concatenate([vector, rest]) if len(rest) else vector)
    return whole


def _shape_of(tensors: Mapping[str, Vector], metadata: Mapping[str, str]) -> AnyShape:
    """The shape of a state dict of SimpleMLP or of a problem's network, without dendrites."""
    if "problem" in metadata:
        try:
            return ProblemReference.from_dict(parse(metadata["problem"])).shape()
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise CheckpointError(f"its problem cannot be understood: {error!r}") from None
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
