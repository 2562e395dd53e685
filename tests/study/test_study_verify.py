"""Trials that are run again give the recorded bits, and a record that was changed is found out."""

import json
import shutil

import pytest
from study_kit import ran, tiny

from frustration.commands.study import main as study_command
from frustration.engine.torch import TorchBackend
from frustration.errors import InputError
from frustration.study.store import Store
from frustration.study.verify import verify


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Store:
    store, outcome = ran(
        tmp_path_factory.mktemp("results") / "tiny", tiny(modes='["none", "hidden", "plain"]')
    )
    assert outcome.done == 12
    return store


@pytest.fixture
def copy(finished, tmp_path) -> Store:
    shutil.copytree(finished.root, tmp_path / "tiny")
    return Store(tmp_path / "tiny")


def tamper(store: Store, trial_id: str, change) -> None:
    path = store.record_path(trial_id)
    record = json.loads(path.read_text())
    record.pop("sha256", None)  # as one of an older version
    change(record)
    path.write_text(json.dumps(record))


def test_every_trial_gives_the_same_bits_again(finished):
    heard = []
    verification = verify(finished, count=100, report=heard.append)
    assert len(verification.checks) == 12
    assert heard == list(verification.checks)
    assert all(check.same_numerics and not check.differences for check in verification.checks)
    assert verification.passed
    assert verification.shift is None


def test_a_sample_is_drawn_by_its_seed(finished):
    drawn = [{check.trial_id for check in verify(finished, count=3, seed=seed).checks} for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 3


def test_accuracy(record):
    record["test_accuracy"] += 0.01


def loss(record):
    record["curve"][1]["loss"] *= 1 + 1e-7


def verdict(record):
    record["curve"][1]["accepted"] = not record["curve"][1]["accepted"]


test_accuracy.__test__ = False


@pytest.mark.parametrize(
    "change, word",
    [(test_accuracy, "test_accuracy"), (loss, "loop 2"), (verdict, "loop 2")],
)
def test_a_tampered_record_is_found_out(change, word, copy):
    victim = sorted(copy.ids()[0])[5]
    tamper(copy, victim, change)
    verification = verify(copy, count=100)
    assert not verification.passed
    (bad,) = [check for check in verification.checks if not check.passed]
    assert bad.trial_id == victim
    assert any(word in difference for difference in bad.differences)


def test_what_cannot_be_verified_is_named_and_the_others_are_verified(copy, capsys):
    changed, folder, *_ = (copy.record_path(trial_id) for trial_id in sorted(copy.ids()[0]))
    changed.write_text(changed.read_text().replace('"accepted": true', '"accepted": false', 1))
    folder.unlink()
    folder.mkdir()
    verification = verify(copy, count=100)
    assert [check.passed for check in verification.checks] == [True] * 10
    assert not verification.passed
    first, second = sorted(verification.impossible)
    assert first.startswith(f"{changed} is not a whole record (its content does not agree with its digest")
    assert second.startswith(f"{folder} is not a record (Is a directory); remove it, or let")
    assert study_command(["verify", str(copy.root), "--count", "100"]) == 1
    said = capsys.readouterr()
    assert "verified: 10 of 10 trials gave the same bits" in said.out
    assert sorted(said.err.splitlines()) == [f"study: {first}", f"study: {second}"]


def test_other_numerics_are_reported_as_such(copy, monkeypatch):
    for trial_id in copy.ids()[0]:
        tamper(copy, trial_id, lambda record: record["numerics"].update(torch="1.0.0"))
    verification = verify(copy, count=4)
    assert all(not check.same_numerics for check in verification.checks)
    assert verification.passed  # the beginning agrees
    assert verification.shift == 0
    tamper(copy, min(copy.ids()[0]), lambda record: record["curve"][0].update(loss=2.5))
    assert not verify(copy, count=100).passed


def test_another_backend_begins_alike(finished):
    verification = verify(finished, count=3, backend="reference")
    assert all(not check.same_numerics for check in verification.checks)
    assert all(check.first_loss < 1e-5 for check in verification.checks)
    assert verification.passed
    assert TorchBackend.name not in {check.label for check in verification.checks}


def test_where_nothing_is_finished_nothing_can_be_verified(tmp_path):
    store = Store(tmp_path / "empty")
    store.create(tiny())
    with pytest.raises(InputError, match="no finished trial"):
        verify(store, count=3)


def test_trials_of_other_data_are_named(copy):
    victim = min(copy.ids()[0])
    record = json.loads(copy.record_path(victim).read_text())
    record["spec"]["dataset_digest"] = "0" * 64
    from frustration.spec import TrialSpec

    record["id"] = TrialSpec.from_dict(record["spec"]).id
    del record["sha256"]
    shutil.rmtree(copy.root / "trials")
    path = copy.record_path(record["id"])
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    verification = verify(copy, count=1)
    (sentence,) = verification.impossible
    assert "are not the data that is here now" in sentence
    assert not verification.checks
    assert not verification.passed
    assert study_command(["verify", str(copy.root)]) == 1
