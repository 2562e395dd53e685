"""The manifest remembers how often a study was extended and looked at; the report's p-values depend on it."""

import errno
import json
import os
from pathlib import Path
from threading import Thread

import pytest
from study_kit import ran, tiny

from frustration.commands import main as command
from frustration.commands.report import main as report
from frustration.files import StorageError, in_turn
from frustration.report import report_line
from frustration.report.analysis import analyse
from frustration.report.cautions import warnings
from frustration.report.reading import read_study
from frustration.study import manifest
from frustration.study.merge import merge
from frustration.study.store import Store


def look(store: Store, how: str = "--no-figures") -> int:
    return report([str(store.root), how])


def test_the_manifest_knows_every_extension_and_every_look(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/study", "run", "tiny"])
    store, _ = ran(tmp_path / "tiny")
    assert manifest.extensions(store.root) == ()
    look(store)
    look(store)  # the same trials again: no second look
    monkeypatch.setattr("sys.argv", ["study", "extend", "tiny", "--trials", "3"])
    ran(store.root, tiny(trials="3"))
    ran(store.root, tiny(trials="3"))
    look(store)
    (extension,), (first, second) = manifest.extensions(store.root), manifest.looks(store.root)
    assert (extension.before, extension.after) == (2, 3)
    assert extension.command == "study extend tiny --trials 3"
    assert (first.trials, first.done, first.command) == (2, 8, "study run tiny")
    assert (second.trials, second.done) == (3, 12)
    assert first.when < extension.when < second.when


def test_the_terminal_is_a_look_too_and_a_study_without_a_trial_is_none(tmp_path):
    store = Store(tmp_path / "tiny")
    store.create(tiny())
    assert look(store, "--print") == 2
    assert manifest.looks(store.root) == ()
    ran(store.root)
    assert look(store, "--print") == 0
    assert [look.done for look in manifest.looks(store.root)] == [8]


def test_a_merged_study_was_looked_at_as_often_as_its_parts_were(tmp_path):
    here, _ = ran(tmp_path / "here" / "tiny")
    there, _ = ran(tmp_path / "there" / "tiny", tiny(trials="3"))
    for store in (here, there, here):
        look(store)
    both = Store(tmp_path / "both" / "tiny")
    for _ in range(2):
        merge(both, [here, there])
        assert [look.done for look in manifest.looks(both.root)] == [8, 12]
    trained = [run for store in (here, there) for run in manifest.read(manifest.manifest_path(store.root))]
    assert manifest.read(manifest.manifest_path(both.root)) == trained, "nor is it forgotten who trained them"


def test_an_older_manifest_knows_of_no_look_and_a_damaged_one_says_that_it_may_have_known(tmp_path):
    store, _ = ran(tmp_path / "tiny")
    path = manifest.manifest_path(store.root)
    runs = json.loads(path.read_text())["runs"]
    path.write_text(json.dumps({"schema": 1, "runs": runs}))
    assert (manifest.looks(store.root), manifest.is_lost(store.root)) == ((), False)
    for content in ({"runs": runs, "looks": [{"when": 1}, 5]}, {"runs": runs, "looks": 3}, [], "looks"):
        path.write_text(json.dumps(content))
        assert (manifest.looks(store.root), manifest.is_lost(store.root)) == ((), True)
    store.keep_look()
    assert len(manifest.looks(store.root)) == 1
    assert manifest.is_lost(store.root), "writing it anew does not bring them back"
    both = Store(tmp_path / "both" / "tiny")
    merge(both, [store])
    assert manifest.is_lost(both.root)
    assert any("earlier looks" in line for line in warnings_of(store))


DAMAGE = {
    "flipped": lambda path: path.write_bytes(path.read_bytes().replace(b'"runs"', b'"rund"')),
    "torn": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "newer": lambda path: path.write_text('{"schema": 2, "runs": [], "steps": []}'),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_manifest_is_kept_beside_the_new_one_and_every_command_says_so(what, tmp_path, capsys):
    store, _ = ran(tmp_path / "tiny", tiny(architectures='["[1*2]"]', networks="false"))
    path = manifest.manifest_path(store.root)
    DAMAGE[what](path)
    before = path.read_bytes() if path.is_file() else None
    place = str(store.root)
    for words in (["study", "show", place], ["study", "status", place], ["study", "run", place, "--dry-run"]):
        assert command(words) == 0
        said = capsys.readouterr()
        assert f"{path} is damaged (" in said.err + said.out, words
        assert not list(store.root.glob("*.damaged-*"))
    assert command(["report", place, "--no-figures"]) == 0
    assert f"report: {path} is damaged (" in capsys.readouterr().err
    aside = path.with_name("manifest.json.damaged-1")
    assert before is None or aside.read_bytes() == before
    assert (aside.exists(), manifest.damage(store.root), manifest.is_lost(store.root)) == (True, None, True)
    store.keep_look()
    assert len(list(store.root.glob("*.damaged-*"))) == 1


def test_a_manifest_that_cannot_be_read_may_have_known_more_and_is_not_written_over(tmp_path, monkeypatch):
    store, _ = ran(tmp_path / "tiny", tiny(architectures='["[1*2]"]', networks="false"))
    path = manifest.manifest_path(store.root)
    content = path.read_bytes()

    def refused(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(manifest, "read_file", refused)
    assert (manifest.looks(store.root), manifest.read(path)) == ((), [])
    assert manifest.is_lost(store.root)
    assert manifest.damage(store.root) == f"{path} cannot be read: Permission denied"
    with pytest.raises(StorageError, match="Permission denied"):
        store.keep_look()
    assert path.read_bytes() == content


def test_a_flipped_bit_in_the_manifest_is_noticed(tmp_path):
    store, _ = ran(tmp_path / "tiny", tiny(architectures='["[1*2]"]'))
    look(store)
    path = manifest.manifest_path(store.root)
    content = path.read_bytes()
    assert not manifest.is_lost(store.root)
    for place in range(0, len(content) - 1, 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert manifest.is_lost(store.root), place


def test_a_kill_in_the_middle_of_an_extension_hides_none_and_makes_no_second_one(tmp_path, monkeypatch):
    store = Store(tmp_path / "tiny")
    store.create(tiny())
    with monkeypatch.context() as patch:
        patch.setattr("frustration.study.store.write_atomically", stopped)
        with pytest.raises(KeyboardInterrupt):
            store.create(tiny(trials="5"))
    assert store.study().trials == 2
    store.create(tiny(trials="5"))
    assert [(one.before, one.after) for one in manifest.extensions(store.root)] == [(2, 5)]


def test_of_two_that_extend_a_study_at_once_both_extensions_are_kept(tmp_path):
    store = Store(tmp_path / "tiny")
    store.create(tiny())
    with in_turn(store.root / ".study.lock"):
        threads = [Thread(target=store.create, args=[tiny(trials="5")]), Thread(target=store.keep_look)]
        for thread in threads:
            thread.start()
            thread.join(0.3)
            assert thread.is_alive(), "it waits for its turn"
        (store.root / "study.toml").write_text(tiny(trials="4").to_toml())
        manifest.keep_extension(store.root, 2, 4)
    for thread in threads:
        thread.join()
    assert [(one.before, one.after) for one in manifest.extensions(store.root)] == [(2, 4), (4, 5)]


def stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def warnings_of(store: Store) -> list[str]:
    results = read_study(store.root)
    return list(warnings(results, analyse(results)))


def test_the_report_at_the_end_of_a_run_is_a_look(tmp_path):
    store, _ = ran(tmp_path / "tiny", tiny(architectures='["[1*2]"]'))
    assert report_line(store.root).startswith("report: ")
    assert [one.done for one in manifest.looks(store.root)] == [4]
