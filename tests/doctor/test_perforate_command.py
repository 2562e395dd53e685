"""`perforate` and `ablate`: what they print, write, refuse and ask."""

import json
import subprocess

import pytest
from doctor_kit import SCRIPTS

from frustration.commands.perforate import ablate, main
from frustration.integration.writing import BACKUP

PLAIN = (SCRIPTS / "regression_mse.py").read_text()


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(PLAIN)
    return path


@pytest.fixture
def call(capsys):
    def call(*words: str, code: int = 0, command=main) -> tuple[str, str]:
        assert command(list(map(str, words))) == code
        printed = capsys.readouterr()
        return printed.out, printed.err

    return call


def files(folder) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ".git" not in p.parts
    }


def test_a_check_lists_the_steps_and_writes_nothing(call, script):
    before = files(script.parent)
    out, err = call(script)
    assert err == ""
    assert "missing  score          line 37" in out
    assert "mse decides about growth" in out
    assert "edits: --diff shows them, --write makes them" in out
    out, _ = call(script, "--diff")
    assert "+    net, restructured, training_complete = GPA.pai_tracker.add_validation_score(mse, net)" in out
    assert files(script.parent) == before


def test_json_has_every_step_with_line_reason_and_edit(call, script):
    report = json.loads(call(script, "--json")[0])
    assert report["kind"] == "plain loop"
    score = next(step for step in report["steps"] if step["step"] == "score")
    assert score["state"] == "missing"
    assert score["line"] == 37
    assert score["edit"] == [
        "net, restructured, training_complete = GPA.pai_tracker.add_validation_score(mse, net)"
    ]


def test_write_makes_the_edit_once_and_keeps_the_original(call, script):
    script.chmod(0o755)
    out, _ = call(script, "--write")
    assert f"as it was: {script}{BACKUP}" in out
    assert (script.parent / f"train.py{BACKUP}").read_text() == PLAIN
    assert script.stat().st_mode & 0o111
    edited = script.read_text()
    assert "UPA.perforate_model(net" in edited
    out, _ = call(script, "--write")
    assert "nothing to edit" in out
    assert script.read_text() == edited
    assert set(files(script.parent)) == {"train.py", f"train.py{BACKUP}"}


def test_a_file_that_git_shows_as_changed_is_left_alone_unless_forced(call, script):
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
            cwd=script.parent,
            check=True,
            capture_output=True,
        )

    git("init")
    git("add", "train.py")
    git("commit", "-m", "as it was")
    script.write_text(PLAIN + "# work of today\n")
    _, err = call(script, "--write", code=2)
    assert "changes that are not committed" in err
    assert script.read_text() == PLAIN + "# work of today\n"
    call(script, "--write", "--force")
    assert (script.parent / f"train.py{BACKUP}").read_text() == PLAIN + "# work of today\n"
    git("checkout", "train.py")
    (script.parent / f"train.py{BACKUP}").unlink()
    out, _ = call(script, "--write")
    assert "as it was: in git" in out
    assert not (script.parent / f"train.py{BACKUP}").exists()


def test_what_it_cannot_decide_it_asks_and_never_guesses(call, script):
    text = (
        PLAIN.replace("mse", "figure").replace("if figure < best_figure:", "if epoch:").replace("RMSE", "X")
    )
    script.write_text(text)
    out, _ = call(script)
    assert "--metric NAME" in out
    _, err = call(script, "--write", code=2)
    assert "left as it is until this is decided" in err
    assert script.read_text() == text
    out, _ = call(script, "--metric", "figure")
    assert "--better higher|lower" in out
    out, _ = call(script, "--metric", "figure", "--diff")
    assert "shown and not made" in out
    assert "+ net, restructured, training_complete" in out
    call(script, "--metric", "figure", "--better", "lower", "--write")
    assert 'save_name="train_dendrites", maximizing_score=False)' in script.read_text()


def test_a_real_run_is_one_edit_and_only_when_asked(call, script):
    call(script, "--write")
    tested = script.read_text()
    call(script, "--real", "--write", "--force")
    changed = [
        (a, b) for a, b in zip(tested.splitlines(), script.read_text().splitlines(), strict=True) if a != b
    ]
    assert [b for _, b in changed] == ["GPA.pc.set_testing_dendrite_capacity(False)"]


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--metric", "nothing"], "nothing in the loop of line 19 assigns nothing"),
        (["--model-variable", "other"], "no optimizer here takes its parameters"),
        (["--output-dimensions", "1,2"], "is not a list of -1 with one 0"),
        (["--layers", "fc"], "begin with a dot: .fc"),
        (["--with", "something"], "invalid choice"),
        (["--diff", "--write"], "cannot go together"),
    ],
)
def test_bad_options_are_named_with_what_would_be_accepted(call, script, words, sentence):
    _, err = call(script, *words, code=2)
    assert sentence in err
    assert script.read_text() == PLAIN


def test_a_file_that_is_not_python_gets_the_line(call, tmp_path):
    (tmp_path / "bad.py").write_text("x = 1\nfor in y:\n    pass\n")
    _, err = call(tmp_path / "bad.py", code=2)
    assert "bad.py, line 2" in err
    (tmp_path / "deep.py").write_text("x = " + "+".join(["1"] * 900))
    _, err = call(tmp_path / "deep.py", code=2)
    assert "nested too deeply" in err
    (tmp_path / "encoding.py").write_bytes(b"# caf\xe9\n")
    _, err = call(tmp_path / "encoding.py", code=2)
    assert "encoding" in err
    _, err = call(tmp_path / "none.py", code=2)
    assert "cannot be read" in err
    _, err = call(code=2)
    assert "name the script" in err


@pytest.mark.parametrize("encoding, mark", [("latin-1", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-8", b"")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encoding_newlines_and_byte_order_mark_survive(call, script, encoding, mark, newline):
    text = f"# -*- coding: {encoding} -*-\n# Fr\u00fchst\u00fcck\n" + PLAIN
    script.write_bytes(mark + text.replace("\n", newline).encode(encoding))
    call(script, "--write")
    written = script.read_bytes()
    assert written.startswith(mark)
    edited = written.removeprefix(mark).decode(encoding)
    assert "# Fr\u00fchst\u00fcck" in edited
    assert "perforate_model" in edited
    assert edited.count(newline) == edited.count("\n")


def test_ablate_writes_a_ratchet_and_leaves_the_length_of_the_loop(call, script):
    out, _ = call(script, "--diff", "--mode", "hidden+dropout", command=ablate)
    assert '+ratchet = Ratchet(net, mode="hidden+dropout", maximize=False)' in out
    assert "+    ratchet.add_score(mse)" in out
    assert "-for epoch in range(200):" not in out


def test_the_goal_of_efficiency_names_what_can_be_made_smaller(call):
    out, _ = call(SCRIPTS / "text_lstm.py", "--goal", "efficiency")
    assert "--dim" in out
    assert "half of it: 4" in out
    assert "C-equal-steps" in out
