"""`clean` removes what it is told to, says what that was, and never leaves the model directory."""

import fcntl
import os
from pathlib import Path

import pytest

from frustration.commands.clean import main, main_all
from frustration.commands.train import main as train
from frustration.files import locked

LKG, RESUME, RECORD = "mnist_lkg.safetensors", "mnist_lkg.resume.safetensors", "mnist_lkg.record.json"
OTHER = "fashion-mnist_lkg.safetensors"
TRIAL = "1x4/hidden/t000_lkg.safetensors"
PLACEHOLDERS = ["README.md", ".gitignore"]


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    """A checkout whose models/ holds what runs leave, placeholders, and a file of the user's."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    for name in (
        *PLACEHOLDERS, LKG, RESUME, RECORD, OTHER, TRIAL, "file1.safetensors", "notes.txt",
        "1x4/hidden/t000_lkg.resume.safetensors", "1x4/hidden/t000_lkg.record.json",
        "1x4/none/t000_lkg.resume.safetensors", "1x4/none/.t000_lkg.resume.safetensors.77-8.partial",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    with locked(folder / ".lock", "busy"):  # as a run does, which leaves it there
        return folder


def files(folder: Path) -> set[str]:
    """Everything but the lock: files, links and empty folders."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name != ".lock" and (path.is_symlink() or path.is_file() or not any(path.iterdir()))
    }


def gone(models: Path, before: set[str]) -> set[str]:
    assert files(models) <= before
    return before - files(models)


def test_by_default_the_default_checkpoint_goes_with_its_companions(models, capsys):
    before = files(models)
    assert main([]) == 0
    assert gone(models, before) == {LKG, RESUME, RECORD}
    *removed, total = capsys.readouterr().out.splitlines()
    assert sorted(removed) == [f"removed models/{name}" for name in sorted((LKG, RESUME, RECORD))]
    assert total == f"removed 3 in all, in {models}"


@pytest.mark.parametrize("flags", [[], ["--all"], ["notes.txt"]])
def test_a_folder_that_holds_no_checkpoint_is_refused(tmp_path, capsys, flags):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.txt").write_text("mine")
    assert main([*flags, "--model-dir", str(tmp_path / "home")]) == 2
    assert "holds no checkpoint, so nothing is removed from it" in capsys.readouterr().err
    assert (tmp_path / "home" / "notes.txt").exists()


def test_one_with_placeholders_alone_is_a_model_directory_with_nothing_in_it(tmp_path, capsys):
    for name in PLACEHOLDERS:
        (tmp_path / name).touch()
    assert main(["--all", "--model-dir", str(tmp_path)]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_a_second_time_there_is_nothing_to_remove_and_that_is_no_error(models, capsys):
    main([])
    capsys.readouterr()
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("nothing to remove in models; other files are there")
    assert out.count("\n") == 1


def test_a_model_directory_that_is_not_there_is_not_made(tmp_path, capsys):
    assert main(["--all", "--model-dir", str(tmp_path / "none")]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("prefix", ["", "models/", "./models/", "models/../models/", "{absolute}/"])
def test_files_are_named_with_or_without_the_folder(models, prefix):
    before = files(models)
    assert main([prefix.format(absolute=models) + "file1.safetensors"]) == 0
    assert gone(models, before) == {"file1.safetensors"}


@pytest.mark.parametrize("prefix", ["", "models/", "elsewhere/"])
def test_a_model_directory_of_another_name_is_cleaned_alike(models, tmp_path, prefix):
    models.rename(tmp_path / "elsewhere")
    before = files(tmp_path / "elsewhere")
    assert main(["--model-dir", "elsewhere", f"{prefix}file1.safetensors"]) == 0
    assert gone(tmp_path / "elsewhere", before) == {"file1.safetensors"}


def test_several_names_are_removed_together_or_not_at_all(models, capsys):
    before = files(models)
    assert main(["file1.safetensors", "file2.safetensors"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("clean: there is no models/file2.safetensors (did you mean file1.safetensors?)")
    assert error.count("\n") == 1
    assert gone(models, before) == set()
    assert main(["file1.safetensors", f"models/{OTHER}"]) == 0
    assert gone(models, before) == {"file1.safetensors", OTHER}


def test_an_lkg_takes_its_companions_and_a_resume_file_goes_alone(models):
    before = files(models)
    assert main([RESUME]) == 0
    assert gone(models, before) == {RESUME}
    assert main([LKG]) == 0
    assert gone(models, before) == {LKG, RESUME, RECORD}


def test_a_run_that_was_killed_before_it_had_an_lkg_is_removed_by_its_name_too(models):
    (models / LKG).unlink()
    before = files(models)
    assert main([LKG]) == 0
    assert gone(models, before) == {RESUME, RECORD}


def test_folders_that_become_empty_go(models):
    assert main([TRIAL]) == 0
    assert not (models / "1x4" / "hidden").exists()
    assert (models / "1x4" / "none").exists()
    assert main(["1x4"]) == 0
    assert not (models / "1x4").exists()


@pytest.mark.parametrize(
    "clean_all", [lambda *flags: main(["--all", *flags]), lambda *flags: main_all(flags)]
)
def test_all_removes_what_runs_leave_and_nothing_else(models, capsys, clean_all):
    before = files(models)
    left = {*PLACEHOLDERS, "notes.txt", "file1.safetensors"}
    assert clean_all("--dry-run") == 0
    promised = capsys.readouterr().out
    assert gone(models, before) == set()
    assert clean_all() == 0
    assert files(models) == left
    assert capsys.readouterr().out == promised.replace("would remove", "removed")
    assert promised.count("\n") == len(before - left) + 1
    assert {path.name for path in models.iterdir()} == left


USERS = (
    "weights.safetensors", "1x4/hidden/weights.safetensors", "lkg.safetensors", "_lkg.safetensors",
    "a_lkg.safetensors.bak", "a.record.json", "movie.mp4.partial", ".movie.partial", ".movie.7-8.partial",
    "a_lkg.safetensors.7-8.partial", "a.lock",
)  # fmt: skip


@pytest.mark.parametrize("names", [["--all"], ["1x4"]])
def test_files_under_names_that_no_run_gives_stay(models, names):
    before = files(models)
    for name in USERS:
        (models / name).write_text(name)
    assert main(names) == 0
    assert files(models) - before == set(USERS)


def test_of_empty_folders_those_of_a_comparison_go(models):
    for name in ("1x8/none", "4x4,2x8/hidden.dose=3_persist", "linear", "mine", "mine too/1x4x2"):
        (models / name).mkdir(parents=True)
    before = files(models)
    assert main(["--all"]) == 0
    assert {"1x8/none", "4x4,2x8/hidden.dose=3_persist", "linear"} <= gone(models, before)
    assert not (models / "1x8").exists()
    assert {"mine", "mine too/1x4x2"} <= files(models)


@pytest.mark.parametrize("flags", [[RESUME], [LKG], ["--all"], []], ids=str)
def test_an_empty_folder_in_place_of_a_file_goes_and_one_that_is_not_empty_is_named(models, capsys, flags):
    place = models / RESUME
    place.unlink()
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    assert main(flags) == 1
    assert f"cannot remove models/{RESUME}: Directory not empty" in capsys.readouterr().err
    (place / "mine.txt").unlink()
    assert main(flags) == 0
    assert f"removed models/{RESUME}\n" in capsys.readouterr().out
    assert not place.exists()


def test_dry_run_removes_nothing(models, capsys):
    before = files(models)
    for flags in ([], ["--all"], ["file1.safetensors"]):
        assert main([*flags, "--dry-run"]) == 0
    assert gone(models, before) == set()
    assert "would remove models/file1.safetensors\n" in capsys.readouterr().out


OUTSIDE = (
    "../secret_lkg.safetensors",
    "models/../secret_lkg.safetensors",
    "a/../../secret_lkg.safetensors",
    "1x4/../../secret_lkg.safetensors",
    "{outside}",
    "way/inner_lkg.safetensors",
    "models/way/../way/inner_lkg.safetensors",
    "..",
    "../..",
    "/",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_outside_is_ever_removed(models, tmp_path, capsys, name):
    secret, folder = tmp_path / "secret_lkg.safetensors", tmp_path / "private"
    secret.write_text("secret")
    folder.mkdir()
    (folder / "inner_lkg.safetensors").write_text("secret")
    (models / "way").symlink_to(folder)
    before = files(tmp_path)
    assert main([name.format(outside=secret)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert files(tmp_path) == before


def test_links_are_removed_and_not_followed(models, tmp_path):
    outside = tmp_path / "private"
    outside.mkdir()
    (outside / "inner_lkg.safetensors").write_text("secret")
    (models / "way").symlink_to(outside)
    (models / "one_lkg.safetensors").symlink_to(outside / "inner_lkg.safetensors")
    (models / "two_lkg.safetensors").symlink_to(outside)
    (models / "three_lkg.record.json").symlink_to(tmp_path / "is not there")
    (models / "1x4" / ".lock").symlink_to(outside / "inner_lkg.safetensors")
    (models / "nowhere").symlink_to(tmp_path / "is not there")
    assert main(["nowhere"]) == 0
    assert not (models / "nowhere").is_symlink()
    assert main(["--all"]) == 0
    assert files(models) == {*PLACEHOLDERS, "notes.txt", "file1.safetensors", "way"}
    assert (outside / "inner_lkg.safetensors").read_text() == "secret"


def test_a_model_directory_that_is_a_link_is_cleaned_where_it_leads(models, tmp_path, capsys):
    (tmp_path / "link").symlink_to(models)
    assert main(["--model-dir", "link", "link/file1.safetensors"]) == 0
    assert capsys.readouterr().out == f"removed link/file1.safetensors\nremoved 1 in all, in {models}\n"
    assert main(["--model-dir", "link", "--all"]) == 0
    assert files(models) == {*PLACEHOLDERS, "notes.txt"}
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", [*PLACEHOLDERS, ".lock", "", ".", "models"])
def test_placeholders_and_the_directory_itself_stay(models, name):
    before = files(models)
    assert main([name]) == 2
    assert gone(models, before) == set()


def test_a_file_of_the_users_goes_only_by_its_name(models):
    assert main(["notes.txt"]) == 0
    assert not (models / "notes.txt").exists()


def test_nothing_is_removed_under_a_run(models, capsys):
    before = files(models)
    with (models / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["--all"]) == 1
    assert capsys.readouterr().err.startswith("clean: a run is using models")
    assert gone(models, before) == set()


def test_nor_under_one_in_a_model_directory_inside(models, capsys):
    (models / "inner").mkdir()
    (models / "inner" / LKG).write_text("in use")
    before = files(models)
    with (models / "inner" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["--all"]) == 1
    assert capsys.readouterr().err.startswith("clean: a run is using models/inner")
    assert gone(models, before) == set()
    assert main(["--all"]) == 0
    assert not (models / "inner" / LKG).exists()


def test_locks_of_other_programs_stay(models):
    for folder in (models / "theirs", models / "ours"):
        folder.mkdir()
    (models / "theirs" / ".lock").touch()
    (models / "ours" / LKG).write_text("kept")
    with locked(models / "ours" / ".lock", "busy"):
        pass
    assert main(["--all"]) == 0
    assert (models / "theirs" / ".lock").exists()
    assert not (models / "ours").exists()


def test_all_and_names_do_not_go_together(models, capsys):
    before = files(models)
    assert main(["--all", "file1.safetensors"]) == 2
    assert main(["--al"]) == 2
    assert "did you mean --all?" in capsys.readouterr().err
    assert gone(models, before) == set()


def test_what_train_leaves_is_what_clean_removes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    quick = ["--train-fraction", "0.02", "--meta-loops", "1", "--threads", "1"]
    assert train([*quick, "--arch", "[1*2]"]) == 0
    assert train([*quick, "--arch", "[1*4]"]) == 2
    assert main([]) == 0
    assert train([*quick, "--arch", "[1*4]"]) == 0
    assert train([*quick, "--arch", "[1*2]", "--ablation-mode", "none", "hidden", "--trials", "2"]) == 0
    assert main(["--all"]) == 0
    assert list((tmp_path / "models").iterdir()) == []


def test_a_folder_that_cannot_be_listed_is_one_sentence(models, monkeypatch, capsys):
    listed = os.scandir

    def scandir(folder):
        if Path(folder).name == "none":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr("frustration.model_directory.os.scandir", scandir)
    before = files(models)
    assert main_all([]) == 1
    assert capsys.readouterr().err == "clean-all: cannot list models/1x4/none: Permission denied\n"
    assert files(models) == before
