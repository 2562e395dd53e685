"""Two commands on one model directory: the second is refused, and the first notices nothing."""

import subprocess

import pytest
from train_command import CLEAN, SESSION, Run, assert_same, finished, kept, one_sentence, train

pytestmark = pytest.mark.slow


def test_a_second_run_is_refused_and_the_first_is_unharmed(tmp_path, uninterrupted):
    model_dir = tmp_path / "models"
    with Run(model_dir, *SESSION) as first:
        first.until_training()
        second = train(model_dir, "--arch", "[1*16]", "--fresh")
        assert second.process.returncode == 1
        one_sentence(second, "another run is using", str(model_dir), "--model-dir")
        assert first.wait() == 0, first.text
    assert_same(kept(model_dir), uninterrupted)


def test_clean_is_refused_while_a_run_is_on(tmp_path):
    model_dir = tmp_path / "models"
    with Run(model_dir, "--arch", "[1*2]", "--meta-loops", "2000") as run:
        run.until('"type": "loop"')
        for flags in ([], ["--all"], ["mnist_lkg.resume.safetensors"]):
            cleaning = subprocess.run(
                [CLEAN, "--model-dir", model_dir, *flags], capture_output=True, text=True
            )
            assert cleaning.returncode == 1
            (sentence,) = cleaning.stderr.splitlines()
            assert f"a run is using {model_dir}" in sentence
        assert run.process.poll() is None
    assert (model_dir / "mnist_lkg.resume.safetensors").exists()


def test_a_killed_run_leaves_no_lock(tmp_path):
    model_dir = tmp_path / "models"
    with Run(model_dir, "--arch", "[1*2]", "--meta-loops", "2000") as run:
        run.until('"type": "loop"')
        run.kill()
    finished(model_dir, "--arch", "[1*2]", "--until", "1")
    subprocess.run([CLEAN, "--model-dir", model_dir], check=True, capture_output=True)
    assert kept(model_dir) == {}


def test_a_run_in_a_folder_inside_is_another_run(tmp_path):
    model_dir = tmp_path / "models"
    model_dir.mkdir()
    with Run(model_dir / "inside", "--arch", "[1*2]", "--meta-loops", "30") as run:
        run.until('"type": "loop"')
        for _ in range(2):
            finished(model_dir, "--arch", "[1*2]", "--until", "1", "--fresh")
        assert run.wait() == 0, run.text
