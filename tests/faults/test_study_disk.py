"""A disk that fills up in the middle of a study ends it with one sentence; what is done stays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_disk import PROBE, needs_mounts

from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

pytestmark = pytest.mark.slow

GRID = """
name = "grid"
architectures = ["[1*16]", "[1*15]", "[1*14]", "[1*13]", "[1*12]"]
modes = ["none", "hidden"]
trials = 4
meta_loops = 3
train_fraction = 0.04
"""
STUDY = subprocess.list2cmdline([sys.executable, "-m", "frustration", "study"])


def kept(store: Store) -> dict[str, object]:
    """Every record and network, without the time that it took."""
    found: dict[str, object] = {}
    for record in store.records():  # each is whole, or this fails
        content = json.loads(store.record_path(record.spec.id).read_text())
        network = store.network_path(record.spec.id).read_bytes()
        found[record.spec.id] = ({**content, "seconds": None, "sha256": None}, network)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, object]:
    """What the study leaves on a disk with room."""
    study = Study.from_toml(GRID)
    store = Store(tmp_path_factory.mktemp("whole") / "grid")
    store.create(study)
    run_study(prepare(study), store, workers=1)
    return kept(store)


@needs_mounts
@pytest.mark.parametrize("threads", [1, 2])
def test_a_study_on_a_full_disk_ends_in_one_sentence_and_continues_when_there_is_room(
    tmp_path, threads, undisturbed
):
    """A tmpfs of 1.5 MB: what two architectures need fits into it, the networks of five do not."""
    grid, disk, full, roomy = (tmp_path / name for name in ("grid.toml", "disk", "full", "roomy"))
    grid.write_text(GRID)
    for folder in (disk, full, roomy):
        folder.mkdir()
    run = f"{STUDY} run {grid} --threads {threads} --no-estimate --json --results"
    script = f"""
        mount -t tmpfs -o size=1500k none {disk}
        {run} {disk} > {tmp_path}/first 2> {tmp_path}/complaint; echo $? > {tmp_path}/code
        cp -r {disk}/grid {full}
        {run} {disk} > {tmp_path}/again 2> {tmp_path}/complaint-again; echo $? >> {tmp_path}/code
        mount -o remount,size=30m {disk}
        {run} {disk} > {tmp_path}/later 2>&1; echo $? >> {tmp_path}/code
        cp -r {disk}/grid {roomy}
    """
    subprocess.run([*PROBE, script], check=True)
    assert (tmp_path / "code").read_text().split() == ["1", "1", "0"]
    for complaint in ("complaint", "complaint-again"):
        (sentence,) = (tmp_path / complaint).read_text().splitlines()
        assert sentence.startswith("frustration study: cannot ")
        assert "No space left on device" in sentence
    at_first = kept(Store(full / "grid"))
    # One worker has finished some by then; of two, each may still be at its first group.
    assert threads > 1 or at_first
    assert len(at_first) < len(undisturbed) == 40
    assert at_first == {trial_id: undisturbed[trial_id] for trial_id in at_first}
    assert not list(Path(full).rglob("*.partial"))
    assert kept(Store(roomy / "grid")) == undisturbed
    assert json.loads((tmp_path / "later").read_text().splitlines()[-1])["done"] == 40
    assert not list((roomy / "grid" / "work").glob("*.safetensors"))
