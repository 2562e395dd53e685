"""A damaged checkpoint is named in one sentence that says how to continue, and is never used."""

import os
import random
import re
import shlex
import shutil

import pytest
import safetensors.torch
import torch
from train_command import QUICK, finished, kept, refused

import frustration
from frustration.checkpoint import CheckpointFiles
from frustration.commands.clean import main as clean
from frustration.sealed import CheckpointError
from frustration.testing.trials import same_bits

FLIPS = 100


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A checkpoint with moments and a base of their own."""
    model_dir = tmp_path_factory.mktemp("whole")
    outcome = frustration.train(
        "[1*4]", "plain", meta_loops=4, dataset=data, batch_size=64, model_dir=model_dir, threads=1
    )
    return outcome.files[0]


@pytest.fixture
def files(whole, tmp_path):
    """A copy of it to damage."""
    return CheckpointFiles(shutil.copytree(whole.stem.parent, tmp_path / "models") / whole.stem.name)


def complaint(files) -> str:
    with pytest.raises(CheckpointError) as raised:
        files.load()
    sentence = str(raised.value)
    assert "\n" not in sentence
    return sentence


def header_end(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


def places(content: bytes, seed: int) -> list[int]:
    """Where to flip bits: in the length, in the header and in the tensors, a third or so of them in each."""
    draw, end = random.Random(seed), header_end(content)
    lengths = [draw.randrange(8) for _ in range(FLIPS // 5)]
    headers = [draw.randrange(8, end) for _ in range(2 * FLIPS // 5)]
    return lengths + headers + [draw.randrange(end, len(content)) for _ in range(2 * FLIPS // 5)]


@pytest.mark.parametrize("which", ["resume", "lkg"])
def test_every_flipped_bit_is_noticed(files, which):
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    content = path.read_bytes()
    draw = random.Random(7)
    for place in places(content, seed=len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        assert str(path) in complaint(files), f"byte {place}"
    path.write_bytes(content)
    assert files.load() is not None


@pytest.mark.parametrize("which", ["resume", "lkg"])
def test_a_file_that_ends_too_early_or_too_late_is_noticed(files, which):
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    content = path.read_bytes()
    end = header_end(content)
    for length in (
        0,
        1,
        7,
        8,
        9,
        end // 2,
        end - 1,
        end,
        end + 1,
        (end + len(content)) // 2,
        len(content) - 1,
    ):
        path.write_bytes(content[:length])
        assert str(path) in complaint(files), f"{length} bytes"
    path.write_bytes(content + b"\0")
    assert str(path) in complaint(files)


def test_a_file_that_is_mostly_hole_is_not_read_into_memory(files):
    os.truncate(files.resume, 2**32)
    assert "it has 4,294,967,296 bytes, far more than it describes" in complaint(files)


def test_a_signature_that_was_removed_is_missed(files):
    """A digest protects nothing if a file may come without one."""
    content = files.resume.read_bytes()
    files.resume.write_bytes(content.replace(b'"sha256"', b'"sha255"'))
    assert "digest" in complaint(files)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint",
        b"\x80\x04\x95 a pickle of nothing",
        b"PK\x03\x04 an archive of nothing",
        safetensors.torch.save({"other.weight": torch.zeros(2, 3)}),
        safetensors.torch.save(
            {"layer_stack.0.weight": torch.zeros(3), "layer_stack.0.bias": torch.zeros(3)}
        ),
        safetensors.torch.save(
            {
                f"layer_stack.{n}.{part}": torch.zeros(shape)
                for n, part, shape in (
                    (0, "weight", (4, 784)),
                    (0, "bias", 4),
                    (3, "weight", (10, 5)),
                    (3, "bias", 10),
                )
            }
        ),
        safetensors.torch.save({"layer_stack.0.weight": torch.zeros(2, 2, dtype=torch.bfloat16)}),
    ],
    ids=["empty", "text", "pickle", "archive", "names", "ranks", "misfits", "bfloat16"],
)
@pytest.mark.parametrize("which", ["resume", "lkg"])
def test_a_file_of_another_kind_is_refused(files, which, content):
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    path.write_bytes(content)
    assert str(path) in complaint(files)
    assert path.read_bytes() == content


@pytest.mark.parametrize("which", ["resume", "lkg"])
def test_a_folder_in_place_of_a_file_is_named(files, which):
    if which == "lkg":
        files.resume.unlink()
    path = getattr(files, which)
    path.unlink()
    path.mkdir()
    assert "Is a directory" in complaint(files)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_pickle_of_the_original_is_refused(files, tmp_path, zipped):
    files.resume.unlink()
    state = safetensors.torch.load(files.lkg.read_bytes())
    old = {"model_state": state, "global_meta_loops": 5, "bounty_meta_loop": 3}
    torch.save(old, files.lkg, _use_new_zipfile_serialization=zipped)
    whole = files.load()
    assert whole.loop == 5
    content, draw = files.lkg.read_bytes(), random.Random(3)
    for _ in range(FLIPS):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        files.lkg.write_bytes(damaged)
        try:
            found = files.load()
        except CheckpointError:
            continue
        if zipped:  # the bit was one that does not matter; a bare pickle has no checksum that would tell
            assert same_bits(found.lkg, whole.lkg)
    for length in (2, 10, len(content) // 2, len(content) - 1):
        files.lkg.write_bytes(content[:length])
        complaint(files)


def test_a_header_whose_length_looks_like_a_pickle_is_read(files):
    """A file begins with the length of its header; one in 32 of them has the first byte of a pickle."""
    files.resume.unlink()
    content = files.lkg.read_bytes()
    end = header_end(content)
    header = content[8:end].ljust((end + 255) // 256 * 256 + 128)
    files.lkg.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])
    assert files.lkg.read_bytes()[:1] == b"\x80"
    assert files.load() is not None


FLAGS = (*QUICK, "--arch", "1x4", "--ablation-mode", "hidden", "--trials", "1", "--lr", "1e-3")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    model_dir = tmp_path_factory.mktemp("trained") / "models"
    finished(model_dir, *FLAGS, "--meta-loops", "4")
    return model_dir


@pytest.fixture
def model_dir(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "models")


def damage(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


def the_files(model_dir):
    return CheckpointFiles(model_dir / "1x4" / "hidden" / "t000_lkg", model_dir)


@pytest.mark.parametrize("flags", [("--until", "6"), ("--until", "4")], ids=["more to do", "nothing to do"])
def test_a_whole_resume_file_makes_good_a_damaged_lkg(model_dir, tmp_path, capsys, flags, train_here):
    files, intact = the_files(model_dir), shutil.copytree(model_dir, tmp_path / "intact")
    damage(files.lkg)
    assert train_here(*FLAGS, *flags, "--model-dir", str(model_dir)) == 0
    assert train_here(*FLAGS, *flags, "--model-dir", str(intact)) == 0
    assert kept(model_dir) == kept(intact)
    assert files.lkg_holds(files.load().lkg)


@pytest.fixture
def train_here(capsys):
    """The command in this process; its exit code."""
    from frustration.commands.train import main

    def run(*flags):
        code = main(flags)
        capsys.readouterr()
        return code

    return run


def test_a_damaged_resume_file_says_how_to_go_on_from_the_lkg_and_that_works(model_dir, capsys, train_here):
    files = the_files(model_dir)
    lkg = files.load().lkg
    damage(files.resume)
    before = kept_bytes(model_dir)
    code, sentence = refused(capsys, *FLAGS, "--model-dir", str(model_dir))
    assert code == 1
    assert str(files.resume) in sentence
    assert kept_bytes(model_dir) == before, "nothing is retrained over a damaged file"
    advice = re.search(r"`poetry run (clean [^`]*)`.*resumes from the LKG", sentence)
    assert clean(shlex.split(advice[1])[1:]) == 0
    capsys.readouterr()
    saved = files.load()
    assert same_bits(saved.lkg, lkg)
    assert saved.loop == 4
    assert train_here(*FLAGS, "--meta-loops", "1", "--model-dir", str(model_dir)) == 0
    trial = files.resumed()
    assert trial.loop == 5
    assert trial.curve[-1].before == saved.bounty
    assert trial.bounty >= saved.bounty


def test_two_damaged_files_leave_a_new_start(model_dir, capsys, train_here):
    files = the_files(model_dir)
    damage(files.resume)
    damage(files.lkg)
    before = kept_bytes(model_dir)
    code, sentence = refused(capsys, *FLAGS, "--model-dir", str(model_dir))
    assert code == 1
    assert "resumes from" not in sentence
    assert kept_bytes(model_dir) == before
    advice = re.search(r"--fresh.*`poetry run (clean [^`]*)`", sentence)
    assert clean(shlex.split(advice[1])[1:]) == 0
    capsys.readouterr()
    assert kept(model_dir) == {}
    assert train_here(*FLAGS, "--meta-loops", "1", "--model-dir", str(model_dir)) == 0
    assert files.resumed().loop == 1


def test_fresh_starts_anew_over_damage(model_dir, train_here):
    files = the_files(model_dir)
    damage(files.resume)
    damage(files.lkg)
    assert train_here(*FLAGS, "--fresh", "--meta-loops", "2", "--model-dir", str(model_dir)) == 0
    assert files.resumed().loop == 2
    assert files.lkg_holds(files.resumed().lkg)


@pytest.mark.parametrize("which", ["lkg", "resume", "curve", "record"])
@pytest.mark.parametrize("kind", ["folder", "full folder", "pipe"])
def test_what_is_no_file_in_place_of_one_is_refused_and_fresh_sets_it_aside(
    which, kind, model_dir, capsys, train_here
):
    files = the_files(model_dir)
    place = getattr(files, which)
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
    if kind == "full folder":
        (place / "mine.txt").write_text("mine")
    if which in ("resume", "curve"):
        assert "--fresh" in refused(capsys, *FLAGS, "--model-dir", str(model_dir))[1]
    assert train_here(*FLAGS, "--fresh", "--meta-loops", "2", "--model-dir", str(model_dir)) == 0
    assert files.resumed().loop == 2
    aside = place.with_name(f"{place.name}.damaged-1")
    assert aside.exists()
    assert kind != "full folder" or (aside / "mine.txt").read_text() == "mine"


def test_equal_runs_leave_equal_files(trained, tmp_path):
    """Byte for byte, so that the checksum of an LKG file says which network it is."""
    finished(tmp_path / "models", *FLAGS, "--meta-loops", "4")
    assert the_files(tmp_path / "models").lkg.read_bytes() == the_files(trained).lkg.read_bytes()


def kept_bytes(model_dir):
    return {path: path.read_bytes() for path in model_dir.rglob("*") if path.is_file()}
