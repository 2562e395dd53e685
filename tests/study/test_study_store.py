"""Records are whole or not there, found by id, and listed quickly; the index is only a convenience."""

import json
import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from study_kit import bits, ran, synthetic_records, tiny

from frustration.commands import study_status
from frustration.commands.study import main as study_command
from frustration.errors import InputError
from frustration.files import StorageError, in_turn
from frustration.record_reading import RecordError, read_failure
from frustration.report.reading import read_study
from frustration.sealed_json import seal, unseal
from frustration.study import store as store_module
from frustration.study.merge import union
from frustration.study.store import Store
from frustration.terminal.study_tables import main_table, own_lines

MANY = 2_000


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Store:
    store, outcome = ran(tmp_path_factory.mktemp("results") / "tiny")
    assert (outcome.done, outcome.failed) == (8, 0)
    return store


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("results") / "large")
    store.create(tiny(trials=str(MANY)))
    for record in synthetic_records(MANY):
        store.write_record(record)
    return store


def test_a_trial_is_one_record_and_one_network_named_by_its_id(finished):
    ids, failed = finished.ids()
    assert len(ids) == 8
    assert not failed
    for trial_id in ids:
        assert finished.record(trial_id).spec.id == trial_id
        assert finished.record_path(trial_id).parent.name == trial_id[:2]
        assert finished.network_path(trial_id).exists()
    assert not list((finished.root / "work").iterdir())


def test_merging_is_copying(finished, tmp_path):
    other = Store(tmp_path / "copy")
    other.create(finished.study())
    for path in finished.root.rglob("*"):
        if path.is_file() and path.parent.parent.name in ("trials", "networks"):
            there = other.root / path.relative_to(finished.root)
            there.parent.mkdir(exist_ok=True)
            there.write_bytes(path.read_bytes())
    assert bits(other) == bits(finished)
    assert other.summaries() == finished.summaries()


def test_networks_can_be_left_out(tmp_path):
    store, outcome = ran(tmp_path / "tiny", tiny(networks="false", architectures='["[1*2]"]'))
    assert outcome.done == 4
    assert not any(path.is_file() for path in (store.root / "networks").rglob("*"))


@pytest.mark.parametrize("damage", ["lost", "torn", "garbage", "flipped", "unsealed"])
def test_a_damaged_index_is_made_again_from_the_records(damage, tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    for record in synthetic_records(20):
        store.write_record(record)
    before = store.summaries()
    assert len(before) == 20
    index = store.root / "index.jsonl"
    content = index.read_bytes()
    if damage == "lost":
        index.unlink()
    elif damage == "torn":
        index.write_bytes(content[: len(content) // 2 + 7])
    elif damage == "flipped":
        index.write_bytes(content.replace(b'"seconds"', b'"secondt"').replace(b'"bounty": 2', b'"bounty": 6'))
    elif damage == "unsealed":
        index.write_bytes(re.sub(rb', "sha256": "[0-9a-f]*"', b"", content))
    else:
        index.write_bytes(b"\xff\xfe\n[1]\n{}\n" + content[200:])
    assert store.summaries() == before
    assert {
        json.loads(line)["id"] for line in index.read_bytes().splitlines() if line[:8] == b'{"id": "'
    } >= {line["id"] for line in before}


@pytest.mark.parametrize("kind", ["pipe", "folder", "hole"])
def test_without_an_index_that_can_be_read_or_written_the_records_are_listed(kind, tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    records = list(synthetic_records(3))
    store.write_record(records[0])
    index = store.root / "index.jsonl"
    index.unlink()
    if kind == "pipe":
        os.mkfifo(index)
    elif kind == "folder":
        index.mkdir()
    else:
        index.touch()
        os.truncate(index, 2**31)
    for record in records[1:]:
        store.write_record(record)
    assert {line["id"] for line in store.summaries()} == {record.spec.id for record in records}


def test_what_the_index_names_but_no_record_holds_is_not_listed(tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    records = list(synthetic_records(3))
    for record in records:
        store.write_record(record)
    store.record_path(records[0].spec.id).unlink()
    assert {line["id"] for line in store.summaries()} == {record.spec.id for record in records[1:]}


def test_a_line_of_the_index_counts_for_its_own_record_alone_and_only_as_it_was_then(tmp_path):
    """Lines that are exchanged, each under a digest that agrees, and a record that is written anew."""
    store = Store(tmp_path / "study")
    store.create(tiny())
    for record in synthetic_records(4):
        store.write_record(record)
    before = store.summaries()
    index = store.root / "index.jsonl"
    lines = [unseal(line)[0] for line in index.read_bytes().splitlines() if line]
    first, second = lines[:2]
    first["id"], second["id"] = second["id"], first["id"]
    index.write_text("".join(f"{seal(line)}\n" for line in lines))
    assert store.summaries() == before
    path = store.record_path(before[0]["id"])
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"loss": 2.0', b'"loss": 2.5', 1))
    complaints: list[str] = []
    assert store.summaries(complaints.append) == before[1:]
    assert [path.name in one and "digest" in one for one in complaints] == [True]
    path.write_bytes(content)
    assert store.summaries() == before


PLACES = {
    "flipped": lambda path: path.write_bytes(path.read_bytes().replace(b'"loss": 2', b'"loss": 3', 1)),
    "empty": lambda path: path.write_bytes(b""),
    "another trial's": lambda path: path.write_bytes(next(path.parents[1].glob("*/*.json")).read_bytes()),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "hole": lambda path: os.truncate(path, 2**37),
    "link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "link to itself": lambda path: (path.unlink(), path.symlink_to(path)),
}


@pytest.mark.parametrize("what", PLACES)
def test_what_is_no_record_is_named_everywhere_and_a_run_sets_it_aside_and_trains_that_trial(
    what, tmp_path, capsys
):
    store, _ = ran(tmp_path / "tiny")
    whole = bits(store)
    path = store.record_path(max(whole))
    PLACES[what](path)
    place = str(store.root)
    for command in (["status"], ["show"], ["export"], ["run", "--dry-run", "--no-estimate"], ["seal"]):
        study_command([command[0], place, *command[1:]])
        said = capsys.readouterr()
        assert f"{path} " in said.err + said.out, command
        assert "`frustration study run tiny` set it aside" in said.err + said.out, command
        assert "8 of 8" not in said.out
        assert "8 done" not in said.out
    (skipped,) = read_study(store.root).skipped
    assert skipped.path == path
    ran(store.root)
    assert bits(store) == whole
    assert [one.name for one in path.parent.glob("*damaged*")] == [f"{path.name}.damaged-1"]
    assert not read_study(store.root).skipped


def test_a_record_of_a_newer_version_or_of_an_unknown_mode_is_never_set_aside(tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    for record, old, new in zip(
        synthetic_records(2),
        ('"record_schema": 1', '"mode": "hidden"'),
        ('"record_schema": 7', '"mode": "x"'),
        strict=True,
    ):
        store.write_record(record)
        path = store.record_path(record.spec.id)
        fields = json.loads(path.read_text().replace(old, new))
        del fields["sha256"]
        path.write_text(seal(fields))
    assert len(store.listed()[1]) == 2
    store.set_aside_damaged()
    assert len(store.ids()[0]) == 2


def test_thousands_of_records_are_listed_from_the_index_alone(large, monkeypatch):
    monkeypatch.setattr(Store, "head", lambda store, trial_id: pytest.fail(f"{trial_id} was read"))
    assert len(large.summaries()) == MANY


def test_a_record_that_is_there_is_never_written_again(finished):
    trial_id = min(finished.ids()[0])
    path = finished.record_path(trial_id)
    before = path.stat()
    finished.write_record(finished.record(trial_id))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_write_that_is_cut_off_leaves_no_record(tmp_path, monkeypatch):
    store = Store(tmp_path / "study")
    store.create(tiny())
    (record,) = synthetic_records(1)

    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(StorageError, match="No space left on device"):
            store.write_record(record)
    assert store.ids() == (set(), set())
    store.write_record(record)
    assert store.record(record.spec.id) == record


@pytest.mark.parametrize("content", ["", "{", "[]", '{"record_schema": 1}', '{"record_schema": 99}'])
def test_a_record_that_is_not_whole_is_named_with_what_to_do(content, tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    (record,) = synthetic_records(1)
    store.write_record(record)
    path = store.record_path(record.spec.id)
    path.write_text(content)
    with pytest.raises(InputError, match=f"{path.name} is not a whole record .*remove it"):
        store.record(record.spec.id)


def test_one_bad_record_is_named_and_the_others_are_listed_and_sealed(tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    records = list(synthetic_records(4))
    for record in records:
        store.write_record(record)
    (store.root / "index.jsonl").unlink()
    bad, old = (store.record_path(record.spec.id) for record in records[:2])
    sealed = old.read_bytes()
    bad.write_bytes(bad.read_bytes().replace(b'"loss": 2.0', b'"loss": 2.5', 1))
    old.write_bytes(re.sub(rb', "sha256": "[0-9a-f]*"', b"", sealed))
    complaints: list[str] = []
    assert len(store.summaries(complaints.append)) == len(list(store.records(complaints.append))) == 3
    assert len(complaints) == 2
    assert all(bad.name in one and "digest" in one for one in complaints)
    assert store.seal() == (1, complaints[:1]), "a list has not hidden it"
    assert old.read_bytes() == sealed
    assert store.seal()[0] == 0


def test_a_flipped_bit_in_what_went_wrong_is_noticed_and_one_without_a_digest_is_read(tmp_path):
    store = Store(tmp_path / "study")
    (record,) = synthetic_records(1)
    trial_id, spec = record.spec.id, record.spec.to_dict()
    store.write_failure(trial_id, spec, "ValueError: no")
    content = store.failure_path(trial_id).read_bytes()
    assert read_failure(content, trial_id) == {"id": trial_id, "spec": spec, "traceback": "ValueError: no"}
    for place in range(len(content) - 1):
        with pytest.raises(RecordError):
            read_failure(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :], trial_id)
    older = re.sub(rb', "sha256": "[0-9a-f]*"', b"", content)
    assert read_failure(older, trial_id) == read_failure(content, trial_id)
    with pytest.raises(RecordError, match=f"it is about the trial {trial_id}"):
        read_failure(content, "0" * 16)


@pytest.mark.parametrize("evidence", [{"removed": ""}, {"removed": None}, []], ids=str)
def test_evidence_that_its_mode_cannot_read_is_named(evidence, tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    _, record = synthetic_records(2)
    path = store.record_path(record.spec.id)
    store.write_record(record)
    fields = json.loads(path.read_bytes())
    del fields["sha256"]
    fields["curve"][1]["evidence"]["hidden"] = evidence
    path.write_text(seal(fields))
    with pytest.raises(RecordError, match=r"the evidence of loop 2 is not of hidden \("):
        store.record(record.spec.id)


@pytest.mark.parametrize("other", [{"meta_loops": 3}, {"seed": 1}, {"trial": 4}], ids=str)
def test_a_record_that_was_copied_from_another_study_is_in_no_mean(other, tmp_path, capsys):
    study = tiny(trials="4", train_fraction="1.0")
    store = Store(tmp_path / "study")
    store.create(study)
    (record,) = synthetic_records(1)
    assert (record.spec.meta_loops, record.spec.seed, record.spec.trial) == (2, 0, 0)
    store.write_record(record)

    def column() -> list[object]:
        return list(main_table(study, store, own_lines(study, store)).columns[2].cells)

    before = column()
    assert before == ["1/4", "0", "0", "0"]
    spec = replace(record.spec, **other)
    curve = tuple(replace(record.curve[0], loop=loop) for loop in range(1, spec.meta_loops + 1))
    store.write_record(replace(record, spec=spec, loop=spec.meta_loops, curve=curve))
    assert column() == before
    assert "left out: 1 trial of other data or settings than tiny has" in capsys.readouterr().err


def test_a_record_of_other_data_or_settings_that_no_table_shows_is_in_no_mean(tmp_path, capsys):
    store, _ = ran(tmp_path / "tiny")
    study = store.study()
    before = own_lines(study, store)
    assert len(before) == 8
    record = store.record(before[0]["id"])
    for other in ({"dataset_digest": "f" * 64}, {"batch_size": 100}):
        store.write_record(replace(record, spec=replace(record.spec, **other)))
    assert own_lines(study, store) == before
    assert "left out: 2 trials of other data or settings than tiny has" in capsys.readouterr().err
    assert study_status.state(store)["done"] == 8


def test_a_record_under_another_name_is_refused(tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    (record,) = synthetic_records(1)
    store.write_record(record)
    other = "0" * 16
    store.record_path(other).parent.mkdir(exist_ok=True)
    store.record_path(other).write_bytes(store.record_path(record.spec.id).read_bytes())
    with pytest.raises(InputError, match="does not contain the trial that it is named after"):
        store.record(other)


def test_a_study_may_grow_but_not_become_another(tmp_path):
    store = Store(tmp_path / "tiny")
    store.create(tiny())
    store.create(tiny(trials="5", modes='["none", "hidden", "output"]'))
    assert store.study().trials == 5
    for changed, word in (
        ({"meta_loops": "3"}, "meta_loops"),
        ({"seed": "1"}, "seed"),
        ({"trials": "2"}, "larger study"),
        ({"trials": "5"}, "larger study"),
        ({"trials": "5", "modes": '["none", "full"]'}, "larger study"),
    ):
        with pytest.raises(InputError, match=word):
            store.create(tiny(**changed))
    assert store.study() == tiny(trials="5", modes='["none", "hidden", "output"]')


def test_of_two_that_grow_a_study_at_once_neither_loses_the_definition_of_the_other(tmp_path):
    store = Store(tmp_path / "tiny")
    store.create(tiny())
    first, second = tiny(modes='["none", "hidden", "output"]'), tiny(modes='["none", "hidden", "full"]')
    said: list[str] = []

    def grow() -> None:
        try:
            store.create(second)
        except InputError as error:
            said.append(str(error))

    with in_turn(store.root / ".study.lock"):
        thread = threading.Thread(target=grow)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive(), "it waits for its turn"
        (store.root / "study.toml").write_text(first.to_toml())
    thread.join()
    assert store.study() == first
    assert "holds a larger study" in said[0]


def test_some_cells_of_a_grid_may_become_more_and_not_fewer(tmp_path):
    store = Store(tmp_path / "tiny")
    two = tiny(only='[["[1*2]", "none"], ["[1*4]", "hidden"]]')
    other = tiny(only='[["[1*2]", "hidden"], ["[1*4]", "none"]]')
    store.create(two)
    with pytest.raises(InputError, match="larger study"):
        store.create(other)
    store.create(union([two, other]))
    assert set(store.study().cells) == set(tiny().cells)
    store.create(tiny())
    with pytest.raises(InputError, match="larger study"):
        store.create(two)
    mixed = union([two, tiny(architectures='["[1*8]"]')])
    assert mixed.size == two.size + 4


def test_a_store_is_opened_by_name_or_folder_and_nothing_else(finished):
    assert Store.open("tiny", finished.root.parent).root == finished.root
    assert Store.open(str(finished.root)).root == finished.root
    with pytest.raises(InputError, match=r'no study "tinny".*there are tiny'):
        Store.open("tinny", finished.root.parent)
    with pytest.raises(InputError, match="holds no study yet"):
        Store.open("tiny", finished.root / "nowhere")


def test_half_written_files_of_the_dead_are_swept_and_those_of_the_living_left(tmp_path):
    store = Store(tmp_path / "study")
    store.create(tiny())
    old, new = (store.root / "work" / f".{name}.json.1-1.partial" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"{")
    long_ago = time.time() - store_module.PARTIAL_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    store.sweep()
    assert (old.exists(), new.exists()) == (False, True)


def test_where_nothing_may_be_written_one_sentence_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make the folder"):
        Store(tmp_path / "file" / "study").create(tiny())
