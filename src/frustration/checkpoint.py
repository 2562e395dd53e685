"""The files in which a trial survives: the LKG for everybody, and beside it what exact resume needs.

`NAME.safetensors` holds the LKG alone, under the names of SimpleMLP's state dict. `NAME.resume.safetensors`
holds the LKG too, and every other thing the next loop depends on; where the two disagree it wins. Both
carry a digest, so that a flipped bit is noticed and not trained on. docs/file-formats.md has the details.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from frustration.architecture import Architecture
from frustration.dendrites.growth import growth_from_dict
from frustration.engine.population import Moments
from frustration.engine.trial import RunnerUp, Trial
from frustration.errors import FrustrationError, InputError
from frustration.files import StorageError, write_atomically
from frustration.network import DENDRITES, Network, Shape, Vector, from_state, state_names, to_state
from frustration.record import LoopEntry
from frustration.spec import TrialSpec

LKG_FORMAT = "frustration-lkg-1"
RESUME_FORMAT = "frustration-resume-1"
OUR_FORMATS = "frustration-"
METADATA = "__metadata__"


class CheckpointError(FrustrationError):
    """A checkpoint that is damaged or not one at all."""


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of one trial: `stem` is models/mnist_lkg."""

    stem: Path
    model_dir: Path | None = None
    """The folder that `clean` is to be told of; None: where the files lie."""

    @property
    def lkg(self) -> Path:
        return self.stem.with_name(self.stem.name + ".safetensors")

    @property
    def resume(self) -> Path:
        return self.stem.with_name(self.stem.name + ".resume.safetensors")

    @property
    def record(self) -> Path:
        return self.stem.with_name(self.stem.name + ".record.json")

    def save(self, trial: Trial, history: list[dict[str, Any]], lkg_too: bool) -> None:
        """Keep a trial between two loops. The resume file comes first: a kill between the two is harmless."""
        write_atomically(self.resume, pack_resume(trial, history))
        if lkg_too:
            self.save_lkg(trial, history)

    def save_lkg(self, trial: Trial, history: list[dict[str, Any]], durable: bool = False) -> None:
        write_atomically(self.lkg, pack_lkg(trial, history), durable=durable)

    def remove_results(self) -> None:
        """Remove the LKG and the record of another trial that was here before."""
        for path in (self.lkg, self.record):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(f"cannot remove {path}: {error.strerror}") from None

    def lkg_holds(self, network: Network) -> bool:
        """Whether the LKG file is there, is whole, and is this network."""
        try:
            return self.lkg.exists() and np.array_equal(unpack_lkg(self.lkg).lkg.vector, network.vector)
        except CheckpointError:
            return False

    def resumed(self) -> Trial:
        """The trial in the resume file, as it stands there."""
        trial = unpack_resume(_read(self.resume)).trial
        if trial is None:
            raise CheckpointError(f"{self.resume} holds no trial")
        return trial

    def state(self) -> dict[str, Any]:
        """What the resume file says beside its tensors, which are not read; for a look, not to go on from."""
        try:
            with self.resume.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            state: dict[str, Any] = json.loads(header[METADATA]["state"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.resume} cannot be read: {error}") from None
        return state

    def load(self) -> Saved | None:
        """What is kept, or None; CheckpointError says what is damaged and what can be done."""
        if self.resume.exists():
            try:
                return unpack_resume(_read(self.resume))
            except CheckpointError as error:
                raise CheckpointError(f"{self.resume} is damaged ({error}); {self._way_on()}") from None
            except InputError as error:  # a mode of a package that is not installed any more, say
                raise CheckpointError(
                    f"{self.resume} cannot be continued: {error}; {self._way_on()}"
                ) from None
        if self.lkg.exists():
            try:
                return unpack_lkg(self.lkg)
            except CheckpointError as error:
                raise CheckpointError(f"{self.lkg} cannot be read ({error}); {self._anew()}") from None
        return None

    def removed_by(self, path: Path) -> str:
        """The command that removes one of the files; with the LKG file go the others."""
        model_dir = self.model_dir or self.stem.parent
        where = "" if model_dir == Path("models") else f" --model-dir {shlex.quote(str(model_dir))}"
        return f"`poetry run clean{where} {shlex.quote(str(path.relative_to(model_dir)))}`"

    def _way_on(self) -> str:
        """What can be done about a damaged resume file."""
        try:
            unpack_lkg(self.lkg)
        except CheckpointError:
            return self._anew()
        return (
            f"remove it ({self.removed_by(self.resume)}) and training goes on from the LKG in "
            f"{self.lkg.name}, or start anew with --fresh"
        )

    def _anew(self) -> str:
        return f"start anew with --fresh, or remove it with {self.removed_by(self.lkg)}"


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
    return _pack(dict(to_state(trial.lkg)), metadata)


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
    curve = ", ".join([entry.as_json for entry in trial.curve])
    text = f'{json.dumps(state, allow_nan=False)[:-1]}, "curve": [{curve}]}}'
    return _pack(tensors, {"format": RESUME_FORMAT, "state": text})


def unpack_resume(content: bytes) -> Saved:
    tensors, metadata = _unpack(content)
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
    content = _read(path)
    if _is_pickle(content):
        tensors, counts = _unpickle(content)
        metadata: dict[str, str] = {}
    else:
        tensors, metadata = _unpack(content)
        counts = {}
    shape = _shape_of(tensors, metadata)
    try:
        lkg = from_state(shape, tensors)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"its layers do not fit together: {error}") from None
    ours = _is_ours(metadata)
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
        loop=int(metadata["meta_loops"]) if ours else _loops_of_original(counts),
        bounty=json.loads(metadata["bounty"]) if ours else None,
        bounty_loop=bounty_loop,
    )


def _loops_of_original(counts: Mapping[str, int]) -> int:
    """A file that does not count its loops has seen one at least, so no later loop is the undamaged one."""
    return max(1, counts.get("global_meta_loops", 1), counts.get("bounty_meta_loop", 1))


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


def _pack(tensors: dict[str, Vector], metadata: dict[str, str]) -> bytes:
    """A safetensors file. The library writes metadata in an order that changes from run to run, and equal
    checkpoints should be equal files; and the whole curve would go through three encoders."""
    header: dict[str, Any] = {METADATA: metadata | {"sha256": _digest(tensors, metadata)}}
    end = 0
    for name, array in sorted(tensors.items()):
        start, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts = [np.ascontiguousarray(array, "<f4").data for _, array in sorted(tensors.items())]
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _unpack(content: bytes) -> tuple[dict[str, Vector], dict[str, str]]:
    """Tensors and metadata of a safetensors file; its digest, if it has one, must agree."""
    try:
        tensors = safetensors.numpy.load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get(METADATA, {})
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"not a whole safetensors file: {error}") from None
    except KeyError as error:
        raise CheckpointError(
            f"it holds numbers of the type {error}, which this program does not use"
        ) from None
    signed = "sha256" in metadata or _is_ours(metadata)
    if signed and metadata.get("sha256") != _digest(tensors, metadata):
        raise CheckpointError("its content does not agree with its digest: some bits have changed")
    return tensors, metadata


def _digest(tensors: Mapping[str, Vector], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for key in sorted(metadata):
        if key != "sha256":
            digest.update(f"{key}={metadata[key]}\n".encode())
    kinds = {dtype: str(dtype) for dtype in {array.dtype for array in tensors.values()}}  # NumPy takes long
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.shape} {kinds[array.dtype]}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _is_ours(metadata: Mapping[str, str]) -> bool:
    """Other programs name a format too: Hugging Face's write "pt"."""
    return metadata.get("format", "").startswith(OUR_FORMATS)


def _is_pickle(content: bytes) -> bool:
    """What torch.save writes: a zip archive, or in older versions a bare pickle.

    A safetensors file can begin with the byte of a pickle, for it begins with the length of its header;
    the header itself begins with a brace.
    """
    return content[:4] == b"PK\x03\x04" or (content[:1] == b"\x80" and content[8:9] != b"{")


def _unpickle(content: bytes) -> tuple[dict[str, Vector], dict[str, int]]:
    """The original's pickles: a state dict, or {model_state, global_meta_loops, bounty_meta_loop}."""
    import torch  # reading pickles is the only thing here that needs it

    try:
        if content[:2] == b"PK" and (broken := zipfile.ZipFile(io.BytesIO(content)).testzip()):
            raise CheckpointError(f"a pickle whose {broken} does not agree with its checksum")
        with warnings.catch_warnings(action="ignore"):
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # damage can make a pickle fail in any way
        raise CheckpointError(f"a pickle that cannot be read safely: {_first_line(error)}") from None
    counts: dict[str, int] = {}
    if isinstance(loaded, dict) and "model_state" in loaded:
        counts = {k: v for k, v in loaded.items() if k != "model_state" and isinstance(v, int)}
        loaded = loaded["model_state"]
    if not isinstance(loaded, dict) or not all(isinstance(t, torch.Tensor) for t in loaded.values()):
        raise CheckpointError("a pickle that does not hold a state dict")
    return {name: tensor.detach().float().numpy() for name, tensor in loaded.items()}, counts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
