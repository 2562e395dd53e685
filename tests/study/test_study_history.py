"""The manifest remembers how often a study was extended and looked at; the report's p-values depend on it."""

import json

from study_kit import ran, tiny

from frustration.commands.report import main as report
from frustration.report import report_line
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


def test_an_older_manifest_or_a_damaged_one_knows_of_no_look(tmp_path):
    store, _ = ran(tmp_path / "tiny")
    runs = json.loads((store.root / "manifest.json").read_text())["runs"]
    for content in ({"schema": 1, "runs": runs}, {"runs": runs, "looks": [{"when": 1}, 5]}, [], "looks"):
        manifest.manifest_path(store.root).write_text(json.dumps(content))
        assert manifest.looks(store.root) == ()
    store.keep_look()
    assert len(manifest.looks(store.root)) == 1


def test_the_report_at_the_end_of_a_run_is_a_look(tmp_path):
    store, _ = ran(tmp_path / "tiny", tiny(architectures='["[1*2]"]'))
    assert report_line(store.root).startswith("report: ")
    assert [one.done for one in manifest.looks(store.root)] == [4]
