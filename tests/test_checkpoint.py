"""Checkpoints: what they hold, what becomes of damaged ones, and the three forms in which old ones exist."""

import copy
import json
import pickle

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from scripted import play

import frustration
from frustration import FrustrationError, SimpleMLP
from frustration.checkpoint import CheckpointFiles
from frustration.engine.population import Moments
from frustration.engine.trial import RunnerUp
from frustration.sealed import CheckpointError
from frustration.testing.trials import same_bits, spec_of, trained
from frustration.treatment import Session

ARCHITECTURE = "[1*9, 1*5]"
HISTORY = [{"mode": "hidden", "treatment": {"mode": "hidden"}, "first_loop": 1, "target": 4}]
SESSIONS = [Session(**one) for one in HISTORY]
SESSION = {"batch_size": 64, "learning_rate": 3e-3, "threads": 1}


@pytest.fixture(scope="module")
def trial(data):
    """A trial with everything that a trial can have: moments, a runner-up, a base that is not its LKG."""
    (trial,) = trained([spec_of(ARCHITECTURE, "hidden/persist/patience-3", meta_loops=4)], data)
    trial.base = trial.shape.view(trial.lkg.vector + np.float32(0.5))
    trial.runner_up = RunnerUp(
        network=trial.shape.view(trial.lkg.vector * np.float32(2)), accuracy=12.5, loop=3
    )
    trial.failures, trial.patience, trial.seconds, trial.continued = 2, 6, 1.5, True
    trial.sessions = SESSIONS
    trial.numerics = {"backend": "torch", "group": {"runs": ["fp"], "slot": 1}}
    trial.past_numerics = [{"backend": "reference", "until_loop": 2}]
    return trial


@pytest.fixture
def files(trial, tmp_path) -> CheckpointFiles:
    kept = CheckpointFiles(tmp_path / "mnist_lkg")
    kept.save(trial, lkg_too=True)
    return kept


def test_a_plain_pytorch_user_loads_the_lkg_strictly_and_gets_the_recorded_accuracy(data, tmp_path):
    outcome = frustration.train(
        ARCHITECTURE, "hidden", meta_loops=4, dataset=data, model_dir=tmp_path, **SESSION
    )
    (record,) = outcome.records
    network = SimpleMLP(ARCHITECTURE)
    network.load_state_dict(safetensors.torch.load_file(tmp_path / "mnist_lkg.safetensors"), strict=True)
    for part, recorded in ((data.validation, record.bounty), (data.test, record.test_accuracy)):
        pixels = torch.from_numpy((part.images / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081))
        with torch.no_grad():
            correct = network.eval()(pixels).argmax(1) == torch.from_numpy(part.labels)
        assert 100 * correct.float().mean().item() == pytest.approx(recorded, abs=100 / 300 * 1.01)


def test_the_lkg_file_holds_the_lkg_alone_under_the_names_of_the_original(files, trial):
    with safetensors.safe_open(files.lkg, "numpy") as file:
        names, metadata = set(file.keys()), file.metadata()
    assert names == {f"layer_stack.{n}.{kind}" for n in (0, 3, 6) for kind in ("weight", "bias")}
    assert metadata.pop("sha256")
    assert json.loads(metadata.pop("mode_history")) == HISTORY
    assert json.loads(metadata.pop("bounty")) == trial.bounty
    assert json.loads(metadata.pop("bounty_loop")) == trial.bounty_loop
    assert metadata == {
        "format": "frustration-lkg-1",
        "architecture": ARCHITECTURE,
        "features": "784",
        "classes": "10",
        "dataset": "mnist",
        "meta_loops": "4",
        "seed": "0",
        "trial": "0",
    }


def test_the_resume_file_is_true_safetensors_too(files):
    assert {name.partition(".")[0] for name in safetensors.torch.load_file(files.resume)} == {
        "lkg",
        "base",
        "runner_up",
        "mean",
        "square",
    }


def test_both_files_are_what_the_library_writes_but_for_the_order_of_their_headers(files):
    for path in (files.lkg, files.resume):
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata()
        theirs = safetensors.numpy.save(safetensors.numpy.load_file(path), metadata)
        (header, tensors), (their_header, their_tensors) = map(parts_of, (path.read_bytes(), theirs))
        assert tensors == their_tensors
        assert header == their_header
        assert list(header) == sorted(header)


def parts_of(content: bytes) -> tuple[dict, bytes]:
    """The header of a safetensors file, and the tensors, which begin at a multiple of 8 bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    assert end % 8 == 0
    return json.loads(content[8:end]), content[end:]


@pytest.mark.parametrize(
    "mode, script, kept",
    [
        ("none", [50.0, 60.0, 40.0], {"lkg"}),
        ("none/ties", [50.0, 50.0, 40.0], {"lkg", "base"}),
        ("plain/fresh", [50.0, 60.0, 40.0], {"lkg", "base"}),
        ("none/patience-1", [50.0, 60.0, 40.0, 30.0], {"lkg", "base", "runner_up"}),
    ],
)
def test_a_base_that_is_the_lkg_is_kept_once(mode, script, kept, tmp_path):
    trial, _ = play(mode, script)
    files = CheckpointFiles(tmp_path / "x")
    files.save(trial, lkg_too=False)
    names = safetensors.numpy.load_file(files.resume)
    assert {name.partition(".")[0] for name in names} == kept
    again = files.load().trial
    assert same_bits(again.base, trial.base)
    assert same_bits(again.lkg, trial.lkg)


def test_everything_a_trial_knows_survives(files, trial):
    saved = files.load()
    again = saved.trial
    for name in ("base", "lkg"):
        assert same_bits(getattr(again, name), getattr(trial, name))
    for name in ("mean", "square"):
        assert same_bits(getattr(again.moments, name), getattr(trial.moments, name))
    assert again.moments.steps == trial.moments.steps
    assert same_bits(again.runner_up.network, trial.runner_up.network)
    assert (again.runner_up.accuracy, again.runner_up.loop) == (12.5, 3)
    known = {"base", "lkg", "moments", "runner_up", "shape"}
    for field in trial.__dataclass_fields__:  # so that a new field cannot be forgotten
        if field not in known:
            assert getattr(again, field) == getattr(trial, field), field
    assert saved.sessions == SESSIONS


@pytest.mark.parametrize("missing", ["moments", "runner_up"])
def test_what_a_trial_does_not_have_is_not_made_up(trial, tmp_path, missing):
    poorer = copy.copy(trial)
    setattr(poorer, missing, None)
    poorer.base = poorer.lkg
    files = CheckpointFiles(tmp_path / "x")
    files.save(poorer, lkg_too=False)
    again = files.load().trial
    assert getattr(again, missing) is None
    assert same_bits(again.base, trial.lkg)
    assert not files.lkg.exists()


@pytest.mark.parametrize("value", [-0.0, 1e-45, 3e38])
def test_unusual_numbers_keep_their_bits(trial, tmp_path, value):
    odd = copy.copy(trial)
    odd.base = trial.shape.view(np.full_like(trial.base.vector, value))
    odd.moments = Moments(odd.base.vector, odd.base.vector, 7)
    files = CheckpointFiles(tmp_path / "x")
    files.save(odd, lkg_too=False)
    assert same_bits(files.load().trial.base, odd.base)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("role", ["lkg", "base"])
def test_weights_that_are_not_finite_are_never_written_over_good_ones(files, trial, role, value):
    before = {path: path.read_bytes() for path in (files.lkg, files.resume, files.curve)}
    odd = copy.copy(trial)
    vector = getattr(trial, role).vector.copy()
    vector[-1] = value
    setattr(odd, role, trial.shape.view(vector))
    with pytest.raises(CheckpointError, match="not finite"):
        files.save(odd, lkg_too=True)
    if role == "lkg":
        with pytest.raises(CheckpointError, match="not finite"):
            files.save_lkg(odd)
    assert {path: path.read_bytes() for path in before} == before
    odd.moments = Moments(vector, vector, 7)
    odd.lkg, odd.base = trial.lkg, trial.base
    files.save(odd, lkg_too=True)
    assert same_bits(files.load().trial.moments.square, vector)  # AdamW's moments may overflow


def test_equal_states_are_equal_files(trial, tmp_path):
    contents = set()
    for name in ("a", "b"):
        files = CheckpointFiles(tmp_path / name)
        files.save(trial, lkg_too=True)
        contents.add((files.lkg.read_bytes(), files.resume.read_bytes()))
    assert len(contents) == 1


def test_where_the_two_files_disagree_the_resume_file_wins(files, trial):
    other = copy.copy(trial)
    other.lkg = trial.shape.view(trial.lkg.vector * np.float32(3))
    other.loop, other.bounty = 99, 99.0
    files.save_lkg(other)
    saved = files.load()
    assert (saved.loop, saved.bounty) == (trial.loop, trial.bounty)
    assert same_bits(saved.lkg, trial.lkg)


def test_without_the_resume_file_training_continues_from_the_lkg(files, trial):
    files.resume.unlink()
    saved = files.load()
    assert saved.trial is None
    assert same_bits(saved.lkg, trial.lkg)
    assert (saved.loop, saved.bounty, saved.bounty_loop) == (4, trial.bounty, trial.bounty_loop)
    assert (saved.seed, saved.dataset, saved.sessions) == (0, "mnist", SESSIONS)


def test_without_either_there_is_nothing(tmp_path):
    assert CheckpointFiles(tmp_path / "mnist_lkg").load() is None


def regions(content: bytes) -> dict[str, range]:
    header = int.from_bytes(content[:8], "little")
    return {
        "length of the header": range(8),
        "header and metadata": range(8, 8 + header),
        "tensors": range(8 + header, len(content)),
    }


@pytest.mark.parametrize("region", ["length of the header", "header and metadata", "tensors"])
@pytest.mark.parametrize("which", ["lkg", "resume"])
def test_a_flipped_bit_anywhere_is_noticed(files, which, region):
    """Every position of the first two regions and a sample of the third: refused, in one sentence."""
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    content = path.read_bytes()
    places = regions(content)[region]
    step = max(1, len(places) // 150)
    for number, place in enumerate(places[::step]):
        damaged = bytearray(content)
        damaged[place] ^= 1 << number % 8
        path.write_bytes(damaged)
        with pytest.raises(FrustrationError) as refusal:
            files.load()
        assert path.name in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("which", ["lkg", "resume"])
def test_a_torn_file_is_refused_in_one_sentence_that_says_what_can_be_done(files, which, share):
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FrustrationError, match="--fresh") as refusal:
        files.load()
    assert "\n" not in str(refusal.value)
    assert ("training resumes from the LKG" in str(refusal.value)) == (which == "resume")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\x80", b"\x80\x04]", b"PK\x03\x04", b"hello " * 100, b"\0" * 64]
)
def test_what_is_no_checkpoint_at_all_is_refused_in_one_sentence(tmp_path, content):
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    files.lkg.write_bytes(content)
    with pytest.raises(FrustrationError) as refusal:
        files.load()
    assert "mnist_lkg.safetensors cannot be read" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"layer_stack.0.weight": torch.zeros(10, 784)},
        {"weight": torch.zeros(10, 784), "bias": torch.zeros(10)},
        {"layer_stack.0.weight": torch.zeros(10), "layer_stack.0.bias": torch.zeros(10)},
        {"layer_stack.0.weight": torch.zeros(10, 784), "layer_stack.0.bias": torch.zeros(9)},
        {
            "layer_stack.0.weight": torch.zeros(4, 784),
            "layer_stack.0.bias": torch.zeros(4),
            "layer_stack.3.weight": torch.zeros(10, 5),
            "layer_stack.3.bias": torch.zeros(10),
        },
    ],
)
def test_the_layers_of_another_kind_of_network_are_refused_in_one_sentence(tmp_path, tensors):
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    safetensors.torch.save_file(tensors, files.lkg)
    with pytest.raises(FrustrationError, match=r"mnist_lkg\.safetensors cannot be read") as refusal:
        files.load()
    assert "\n" not in str(refusal.value)


def original_network() -> SimpleMLP:
    torch.manual_seed(3)
    return SimpleMLP(ARCHITECTURE)


def bare(path, network):
    safetensors.torch.save_file(network.state_dict(), path)


def bare_with_metadata(path, network):
    safetensors.torch.save_file(network.state_dict(), path, {"format": "pt"})


def state_dict_pickle(path, network):
    torch.save(network.state_dict(), path)


def old_state_dict_pickle(path, network):
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)


def training_state_pickle(path, network):
    state = {"model_state": network.state_dict(), "global_meta_loops": 40, "bounty_meta_loop": 31}
    torch.save(state, path)


HISTORICAL = {
    bare: (1, None),
    bare_with_metadata: (1, None),
    state_dict_pickle: (1, None),
    old_state_dict_pickle: (1, None),
    training_state_pickle: (40, 31),
}
EVERY_FORM = pytest.mark.parametrize("form", HISTORICAL, ids=lambda form: form.__name__)


@EVERY_FORM
def test_every_historical_form_is_read(form, tmp_path):
    files, network = CheckpointFiles(tmp_path / "mnist_lkg"), original_network()
    form(files.lkg, network)
    saved = files.load()
    assert str(saved.architecture) == ARCHITECTURE
    weights = torch.nn.utils.parameters_to_vector(network.parameters()).detach().numpy()
    assert same_bits(saved.lkg.vector, weights)
    assert (saved.loop, saved.bounty_loop) == HISTORICAL[form]
    assert (saved.bounty, saved.seed, saved.dataset) == (None, None, None)


def test_a_file_that_counted_no_loops_has_seen_one_at_least(tmp_path):
    """So the loop after it, unlike global loop 1, is damaged."""
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    state = {"model_state": original_network().state_dict(), "global_meta_loops": 0, "bounty_meta_loop": 0}
    torch.save(state, files.lkg)
    assert files.load().loop == 1


@EVERY_FORM
def test_training_continues_from_every_historical_form_and_upgrades_it(form, tmp_path, data):
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    form(files.lkg, original_network())
    (record,) = frustration.train(
        ARCHITECTURE, "hidden", meta_loops=2, dataset=data, model_dir=tmp_path, **SESSION
    ).records
    loops_before = HISTORICAL[form][0]
    assert [entry.loop for entry in record.curve] == [loops_before + 1, loops_before + 2]
    assert all(entry.evidence["hidden"]["units"] for entry in record.curve)  # only loop 1 is undamaged
    assert record.curve[0].before is not None
    assert record.continued
    with safetensors.safe_open(files.lkg, "numpy") as file:
        assert file.metadata()["format"] == "frustration-lkg-1"
        assert int(file.metadata()["meta_loops"]) <= loops_before + 2
    assert files.load().loop == loops_before + 2


@EVERY_FORM
def test_damaged_historical_files_are_refused_in_one_sentence_or_harmless(form, tmp_path):
    """They carry no digest, so not every flipped bit can be seen; none may end in anything but a sentence."""
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    form(files.lkg, original_network())
    content = files.lkg.read_bytes()
    noticed = 0
    for number, place in enumerate([*range(0, 1_500, 13), *range(1_500, len(content), len(content) // 60)]):
        damaged = bytearray(content)
        damaged[place] ^= 1 << number % 8
        files.lkg.write_bytes(damaged)
        try:
            files.load()
        except FrustrationError as refusal:
            noticed += 1
            assert "\n" not in str(refusal)  # noqa: PT017
    for length in range(0, len(content), len(content) // 20):
        files.lkg.write_bytes(content[:length])
        with pytest.raises(FrustrationError):
            files.load()
    assert noticed > 5


class Hostile:
    """What runs when a pickle is loaded carelessly."""

    def __init__(self, trap) -> None:
        self.trap = trap

    def __reduce__(self):
        return (type(self.trap).touch, (self.trap,))


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle", "nested"])
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path, how):
    files, trap = CheckpointFiles(tmp_path / "mnist_lkg"), tmp_path / "executed"
    if how == "pickle":
        files.lkg.write_bytes(pickle.dumps(Hostile(trap)))
    elif how == "nested":
        torch.save(
            {"model_state": {"layer_stack.0.weight": Hostile(trap)}, "global_meta_loops": 1}, files.lkg
        )
    else:
        torch.save(Hostile(trap), files.lkg, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(FrustrationError, match=r"mnist_lkg\.safetensors cannot be read") as refusal:
        files.load()
    assert not trap.exists()
    assert "\n" not in str(refusal.value)
    pickle.loads(pickle.dumps(Hostile(trap)))  # the trap does work
    assert trap.exists()
