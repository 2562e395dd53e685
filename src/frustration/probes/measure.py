"""All that is missing of a group of networks of one trial number, written as it is measured."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from frustration.dataset.catalogue import entry_of
from frustration.engine.one_thread import one_thread
from frustration.engine.population import Interrupted
from frustration.engine.products import ONEDNN
from frustration.errors import FrustrationError
from frustration.probes.calibration import calibration
from frustration.probes.corruptions import corrupted, corruption_result
from frustration.probes.draws import Draws
from frustration.probes.events import Event, Measured, NotMeasured
from frustration.probes.forward import Images, correct, logits, to_pixels
from frustration.probes.knockout import knockout
from frustration.probes.latency import latency, peak_memory
from frustration.probes.networks import Kept, Layer, layers_of, load_network, module_of
from frustration.probes.plan import Data, measures_of
from frustration.probes.representation import representation
from frustration.probes.settings import Wanted
from frustration.probes.weight_noise import weight_noise
from frustration.record import TrialRecord
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec
from frustration.study.manifest import cpu_model
from frustration.study.probe_files import ProbeFiles, is_current
from frustration.study.store import Store

TOLERANCE = 0.1
"""Points by which the accuracy of a network may differ from its record's: other numerics flip an image or
two in ten thousand. More, and it is not the network of that trial."""


Emit = Callable[[Event], None]


@dataclass(frozen=True, eq=False)
class TestImages:
    """Test sets as networks see them, each made once."""

    data: Data
    _images: dict[str, Images] = field(default_factory=dict)

    def of(self, spec: TrialSpec) -> Images:
        if spec.dataset not in self._images:
            split = self.data.of(spec)
            self._images[spec.dataset] = Images.of(split.test, split)
        return self._images[spec.dataset]


@dataclass(eq=False)
class Subject:
    """A network, what is known of it, and what is still missing."""

    record: TrialRecord
    kept: Kept
    layers: list[Layer]
    content: dict[str, Any]
    missing: dict[str, dict[str, Any]]
    """Settings by measure."""
    files: ProbeFiles
    emit: Emit

    def keep(self, measure: str, result: dict[str, Any], began: float) -> None:
        """Write a measure beside those that are there."""
        settings = self.missing.pop(measure)
        self.content["measures"][measure] = {"settings": settings, "numerics": numerics(), **result}
        self.files.write(self.content)
        self.emit(Measured(self.record.spec.id, measure, time.thread_time() - began))


def numerics() -> dict[str, Any]:
    """What the last digits may depend on."""
    vector = torch.backends.cpu.get_cpu_capability()
    products = "oneDNN" if ONEDNN else "BLAS"
    return {"torch": torch.__version__, "device": "cpu", "vector": vector, "products": products}


@one_thread()
@torch.inference_mode()
def measure_group(
    store: Store, ids: list[str], wanted: Wanted, images: TestImages, emit: Emit, stop: threading.Event
) -> None:
    """Measure networks of one data set, seed and trial number; those that another process has are left to it.

    Raises Interrupted when `stop` is set; what was measured by then is kept.
    """
    with contextlib.ExitStack() as claims:
        subjects = []
        for trial_id in ids:
            if not claims.enter_context(ProbeFiles(store.root).claimed(trial_id)):
                continue
            try:
                subjects.append(_subject(store, trial_id, wanted, images, emit, stop))
            except FrustrationError as error:
                emit(NotMeasured(trial_id, str(error)))
        _corruptions([one for one in subjects if "corruptions" in one.missing], images, stop)
        for subject in subjects:
            _own_measures(subject, images.of(subject.record.spec), stop)


def _subject(
    store: Store, trial_id: str, wanted: Wanted, data: TestImages, emit: Emit, stop: threading.Event
) -> Subject:
    """A network with what is missing of it, after a look at whether it is what its record says."""
    record = store.record(trial_id)
    split, images = data.data.of(record.spec), data.of(record.spec)
    path = store.network_path(trial_id)
    try:
        kept = load_network(path)
    except CheckpointError as error:
        raise FrustrationError(f"{path} is damaged ({error}); its trial is left out") from None
    layers = layers_of(kept.shape, torch.from_numpy(kept.weights)[None])
    if kept.shape.features != split.features or kept.shape.classes != split.classes:
        raise FrustrationError(f"{path} is not a network for {split.name}; its trial is left out")
    now = 100 * int(correct(layers, images, stop)[0]) / len(images)
    if record.test_accuracy is None or abs(now - record.test_accuracy) > TOLERANCE:
        raise FrustrationError(
            f"{path} gives {now:.2f} % on the test set where its record has {record.test_accuracy} %: "
            f"it is not the network of that trial, which is left out"
        )
    files = ProbeFiles(store.root)
    content = files.read(trial_id)
    if content is None or content.get("network") != kept.sha256:
        content = _about(record, kept)
    settings = {measure: wanted.settings(measure, len(images)) for measure in measures_of(wanted, split)}
    missing = {name: each for name, each in settings.items() if not is_current(content, name, each)}
    return Subject(record, kept, layers, content, missing, files, emit)


def _about(record: TrialRecord, kept: Kept) -> dict[str, Any]:
    spec = record.spec
    return {
        "id": spec.id,
        "architecture": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "seed": spec.seed,
        "dataset": spec.dataset,
        "train_fraction": spec.train_fraction,
        "learning_rate": spec.learning_rate,
        "network": kept.sha256,
        "parameters": kept.shape.size,
        "test_accuracy": record.test_accuracy,
        "measures": {},
    }


def _corruptions(subjects: list[Subject], data: TestImages, stop: threading.Event) -> None:
    """Every corrupted test set is made once for all networks of the trial number."""
    if not subjects:
        return
    began = time.thread_time()
    spec, settings = subjects[0].record.spec, subjects[0].missing["corruptions"]
    split, images = data.data.of(spec), data.of(spec).head(settings["images"])
    right: list[dict[tuple[str, int], int]] = [{} for _ in subjects]
    bytes_, shape = split.test.images[: len(images)].astype(np.uint8), entry_of(spec.dataset).shape
    draws = Draws(spec.seed, spec.trial)
    for name, number, some in corrupted(bytes_, shape, draws, settings["severities"], stop):
        seen = Images(to_pixels(some.numpy(), split), images.labels)
        for counts, subject in zip(right, subjects, strict=True):
            counts[name, number] = int(correct(subject.layers, seen, stop)[0])
    # Each bears its share of the time that all took.
    share = (time.thread_time() - began) / len(subjects)
    for counts, subject in zip(right, subjects, strict=True):
        subject.keep("corruptions", corruption_result(counts, settings), time.thread_time() - share)


def _own_measures(subject: Subject, images: Images, stop: threading.Event) -> None:
    """Everything else, one measure after another."""
    for measure, settings in list(subject.missing.items()):
        if stop.is_set():
            raise Interrupted
        began = time.thread_time()
        subject.keep(measure, _measured(measure, subject, images, settings, stop), began)


def _measured(
    measure: str, subject: Subject, images: Images, settings: dict[str, Any], stop: threading.Event
) -> dict[str, Any]:
    spec, kept, layers = subject.record.spec, subject.kept, subject.layers
    draws = Draws(spec.seed, spec.trial)
    some = images.head(settings.get("images", len(images)))
    if measure == "knockout":
        return knockout(layers, kept.shape, some, draws, settings, stop)
    if measure == "weight_noise":
        return weight_noise(kept.shape, kept.weights, some, draws, settings, stop)
    if measure == "representation":
        return representation(layers, some)
    if measure == "calibration":
        outputs = torch.cat([logits(layers, pixels)[0].t() for pixels, _ in some.chunks()])
        return calibration(outputs, some.labels, settings["bins"])
    if measure == "memory":
        return _memory(kept, images, settings)
    return _latency(kept, images, settings)


def _latency(kept: Kept, images: Images, settings: dict[str, Any]) -> dict[str, Any]:
    """The measure `latency` of one network (docs/probes.md)."""
    forward = module_of(kept)
    taken = [latency(forward, batch, settings["seconds"]) for batch in _batches(images, settings)]
    return {
        "median_us": [1e6 * one.median for one in taken],
        "q25_us": [1e6 * one.q25 for one in taken],
        "q75_us": [1e6 * one.q75 for one in taken],
        "runs": [one.runs for one in taken],
        "cpu": cpu_model(),
    }


def _memory(kept: Kept, images: Images, settings: dict[str, Any]) -> dict[str, Any]:
    """The measure `memory` of one network (docs/probes.md)."""
    module = module_of(kept)
    held = [*module.parameters(), *module.buffers()]
    return {
        "peak_bytes": [peak_memory(module, batch, held) for batch in _batches(images, settings)],
        "weight_bytes": sum(tensor.untyped_storage().nbytes() for tensor in held),
    }


def _batches(images: Images, settings: dict[str, Any]) -> Iterator[torch.Tensor]:
    """The first images of the test set, repeated where a batch has more; memory of its own."""
    for size in settings["batches"]:
        yield images.pixels[torch.arange(size) % len(images)]
