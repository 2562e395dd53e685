"""What jobs sent to S3 comes into the ordinary store: checked, once, and what is missing with its reason."""

import json
import os
import tarfile
from dataclasses import replace

import pytest
from home_kit import (
    ACCOUNT,
    BUCKET,
    FLAGS,
    Cloud,
    archive,
    changed_record,
    files_in,
    named,
    plan_of,
    sent_home,
    study_of,
)

from frustration.cloud.place import Place
from frustration.commands.sagemaker_results_parser import main
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

PLACE = Place(BUCKET, "frustration", "away")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Store:
    """The same study, run here."""
    store = Store(tmp_path_factory.mktemp("there") / "away")
    outcome = run_study(prepare(study_of()), store, workers=1)
    assert (outcome.done, outcome.total) == (8, 8)
    return store


@pytest.fixture
def plan(trained):
    return plan_of(study_of(), trained)


@pytest.fixture
def cloud(aws, plan) -> Cloud:
    made = Cloud()
    made.launch(plan, PLACE)
    return made


@pytest.fixture
def names(plan) -> list[str]:
    """The first job of each pack."""
    return [PLACE.job_name(pack.id, 1) for pack in plan.packs]


def parse(tmp_path, *words: str) -> int:
    return main(["away", *FLAGS, "--results", str(tmp_path / "results"), *words])


def home(tmp_path) -> Store:
    return Store(tmp_path / "results" / "away")


def content_of(store: Store) -> dict[str, bytes]:
    folders = (store.root / "trials", store.root / "networks")
    return {
        path.name: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()
    }


def all_home(cloud: Cloud, plan, names, trained) -> None:
    for name, pack in zip(names, plan.packs, strict=True):
        cloud.job(name, content=archive(sent_home(trained, pack.trials)))


def test_all_records_and_networks_come_home_to_the_byte_with_both_tables(
    cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    assert parse(tmp_path) == 0
    assert content_of(home(tmp_path)) == content_of(trained)
    out = capsys.readouterr().out
    assert "8 of 8 trials" in out
    assert "packs: 2 done" in out
    report = tmp_path / "results" / "away" / "report"
    assert files_in(report) == {"psa_simplemlp_summary.md", "psa_simplemlp_trials.md"}
    summary = (report / "psa_simplemlp_summary.md").read_text()
    assert summary.startswith("Results Shape {1*2} Parameters {1600}\n* None: Mean=")
    assert summary.count("(n=2)") == 4
    rows = (report / "psa_simplemlp_trials.md").read_text().split("\n\n")[1].splitlines()
    assert {row.count("|") for row in rows} == {8}
    assert len(rows) == 4
    assert not list((home(tmp_path).root / "work").iterdir())


def test_a_second_time_nothing_is_downloaded_and_nothing_changes(
    cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    assert parse(tmp_path) == 0
    before = {path: path.stat().st_mtime_ns for path in (home(tmp_path).root / "trials").rglob("*.json")}
    for name in names:
        cloud.s3.delete_object(Bucket=BUCKET, Key=PLACE.archive(name))
    capsys.readouterr()
    assert parse(tmp_path) == 0
    assert "packs: 2 here already" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_settings_come_from_env_and_flags_win(cloud, plan, names, trained, tmp_path, monkeypatch, capsys):
    all_home(cloud, plan, names, trained)
    monkeypatch.delenv("AWS_REGION")
    env = tmp_path / "mine.env"
    env.write_text(f"AWS_REGION=us-east-1\nS3_BUCKET_NAME={BUCKET}\nS3_PREFIX=elsewhere\n")
    results = ["--results", str(tmp_path / "results")]
    assert main(["away", "--env-file", str(env), *results]) == 2
    assert "no study away was launched to s3://bench/elsewhere" in capsys.readouterr().err
    assert main(["--env-file", str(env), "--prefix", "frustration", *results]) == 0
    assert (tmp_path / "results" / "psa_simplemlp_trials.md").exists()


@pytest.mark.parametrize("later", ["Failed", "Stopped", "InProgress"])
def test_a_later_rerun_that_is_worse_hides_no_good_result(later, cloud, plan, names, trained, tmp_path):
    all_home(cloud, plan, names, trained)
    for pack in plan.packs:
        cloud.job(PLACE.job_name(pack.id, 2), later, failure_reason="AlgorithmError: no")
    assert parse(tmp_path) == 0
    assert len(home(tmp_path).ids()[0]) == 8


def test_a_good_archive_of_a_later_attempt_makes_up_for_a_damaged_one(cloud, plan, names, trained, tmp_path):
    all_home(cloud, plan, names, trained)
    good = archive(sent_home(trained, plan.packs[0].trials))
    cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[0]), Body=good[: len(good) // 2])
    cloud.job(PLACE.job_name(plan.packs[0].id, 2), content=good)
    assert parse(tmp_path) == 0
    assert content_of(home(tmp_path)) == content_of(trained)


def test_what_a_stopped_job_had_finished_is_kept_and_a_later_one_completes_it(
    cloud, plan, names, trained, tmp_path
):
    all_home(cloud, plan, names, trained)
    trials = plan.packs[0].trials
    cloud.s3.delete_object(Bucket=BUCKET, Key=PLACE.archive(names[0]))
    cloud.job(PLACE.job_name(plan.packs[0].id, 2), "Stopped", content=archive(sent_home(trained, trials[:1])))
    cloud.job(PLACE.job_name(plan.packs[0].id, 3), "Failed", content=archive(sent_home(trained, trials[1:])))
    assert parse(tmp_path) == 0


def test_missing_running_failed_stopped_damaged_and_unlaunched_are_named_with_the_reason(
    aws, trained, tmp_path, capsys
):
    cloud = Cloud()
    plan = plan_of(study_of(), trained, packs=8)
    cloud.launch(plan, PLACE)
    good = archive(sent_home(trained, plan.packs[0].trials))
    first = [PLACE.job_name(pack.id, 1) for pack in plan.packs]
    cloud.job(first[0], content=good)
    cloud.job(first[1])
    cloud.job(first[2], "InProgress")
    cloud.job(first[3], "Failed", failure_reason="AlgorithmError: no room\nfor 123456789012")
    cloud.job(first[4], "Stopped")
    cloud.job(first[5], content=b"<html>not an archive</html>")
    cloud.job(first[6], content=archive({}))
    assert parse(tmp_path) == 1
    out = capsys.readouterr().out
    assert "1 of 8 trials" in out
    lines = {
        line.split("[")[1].split("]")[0]: line
        for line in out.splitlines()
        if line.startswith("  ") and "[fe-" in line
    }
    assert set(lines) == set(first[1:7])
    assert "its model.tar.gz is gone" in lines[first[1]]
    assert lines[first[1]].startswith("  no archive:")
    assert "InProgress since" in lines[first[2]]
    assert lines[first[2]].startswith("  running:")
    assert lines[first[3]].startswith("  failed:")
    assert lines[first[3]].endswith("AlgorithmError: no room")
    assert lines[first[4]].startswith("  stopped:")
    assert lines[first[5]].startswith("  damaged:")
    assert "its archive is not taken" in lines[first[5]]
    assert "its archive lacks 1 trials" in lines[first[6]]
    assert "not launched: pack" in out
    assert "123456789012" not in out


def test_of_nothing_there_are_no_tables(cloud, tmp_path, capsys):
    assert parse(tmp_path) == 1
    assert "packs: 2 not launched" in capsys.readouterr().out
    assert not (tmp_path / "results" / "away" / "report").exists()


def test_the_last_failure_is_the_one_that_is_named(cloud, plan, names, tmp_path, capsys):
    cloud.job(names[0], "Stopped")
    cloud.job(PLACE.job_name(plan.packs[0].id, 2), "Failed", failure_reason="ClientError: the latest")
    assert parse(tmp_path) == 1
    assert "-a02]: ClientError: the latest" in capsys.readouterr().out


def test_trials_that_failed_inside_a_job_are_named_and_the_others_taken(
    cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    trials = plan.packs[1].trials
    members = sent_home(trained, trials[1:])
    failure = {
        "id": trials[0],
        "spec": trained.record(trials[0]).spec.to_dict(),
        "traceback": "E\nOSError: bad",
    }
    members[f"study/trials/{trials[0][:2]}/{trials[0]}.failed.json"] = json.dumps(failure).encode()
    cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[1]), Body=archive(members))
    assert parse(tmp_path) == 1
    assert "failed: pack" in (out := capsys.readouterr().out)
    assert "1 of its trials failed: OSError: bad" in out
    assert home(tmp_path).ids() == (trained.ids()[0] - {trials[0]}, {trials[0]})


def _other_id(record):
    record["id"] = "0" * 16


def _better_bounty(record):
    record["bounty"] = 99.9


def _short_curve(record):
    record["curve"].pop()


def _over_hundred(record):
    record["test_accuracy"] = 101.0


def _not_a_number(record):
    record["curve"][0]["loss"] = float("nan")


def _evidence_of_text(record):
    record["curve"][1]["evidence"] = "much"


def _of_later_schema(record):
    record["record_schema"] = 99


def _of_another_study(record):
    record["spec"]["seed"] = 77


CHANGES = [
    _other_id,
    _better_bounty,
    _short_curve,
    _over_hundred,
    _not_a_number,
    _evidence_of_text,
    _of_later_schema,
    _of_another_study,
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_contradicts_itself_is_not_taken_and_the_rest_is(
    change, cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    trial = next(one for one in plan.packs[0].trials if trained.record(one).spec.label == "hidden")
    members = sent_home(trained, plan.packs[0].trials)
    key = next(name for name in members if name.endswith(f"{trial}.json"))
    members[key] = changed_record(members[key], change)
    cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[0]), Body=archive(members))
    assert parse(tmp_path) == 1
    assert f"not taken: {names[0]}: {trial}.json:" in capsys.readouterr().out
    assert home(tmp_path).ids()[0] == trained.ids()[0] - {trial}
    assert not home(tmp_path).network_path(trial).exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"record_schema": 1}'])
def test_a_record_that_is_none_is_not_taken(content, cloud, plan, names, trained, tmp_path, capsys):
    all_home(cloud, plan, names, trained)
    trial = plan.packs[0].trials[0]
    members = sent_home(trained, plan.packs[0].trials)
    members[next(name for name in members if name.endswith(f"{trial}.json"))] = content
    cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[0]), Body=archive(members))
    assert parse(tmp_path) == 1
    assert f"not taken: {names[0]}: {trial}.json:" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["flipped", "another trial's", "pickle", "unsigned"])
def test_a_network_that_is_not_that_trial_s_is_left_out_and_its_record_kept(
    damage, cloud, plan, names, trained, tmp_path, capsys
):
    import safetensors.numpy

    all_home(cloud, plan, names, trained)
    trial, other = plan.packs[0].trials[0], plan.packs[1].trials[0]
    whole = trained.network_path(trial).read_bytes()
    content = {
        "flipped": whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:],
        "another trial's": trained.network_path(other).read_bytes(),
        "pickle": b"\x80\x04K*.",
        "unsigned": safetensors.numpy.save(safetensors.numpy.load(whole)),
    }[damage]
    members = sent_home(trained, plan.packs[0].trials)
    members[next(name for name in members if name.endswith(f"{trial}.safetensors"))] = content
    cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[0]), Body=archive(members))
    assert parse(tmp_path) == 0
    assert f"not taken: {names[0]}: {trial}.safetensors:" in capsys.readouterr().out
    assert home(tmp_path).is_done(trial)
    assert not home(tmp_path).network_path(trial).exists()


def test_a_hostile_archive_writes_nothing_anywhere_and_is_named(
    cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    honest = [
        (named(name, len(content)), content)
        for name, content in sent_home(trained, plan.packs[0].trials).items()
    ]
    for evil in (
        named("../../../escaped", 4),
        named("/escaped", 4),
        named("x", kind=tarfile.SYMTYPE, link="/etc"),
    ):
        body = archive([*honest, (evil, b"evil"[: evil.size])])
        cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(names[0]), Body=body)
        assert parse(tmp_path) == 1
        assert "damaged: pack" in capsys.readouterr().out
        assert home(tmp_path).ids()[0] == set(plan.packs[1].trials)
        assert not [path for path in tmp_path.rglob("*") if "escaped" in path.name or path.is_symlink()]


def test_a_record_that_is_here_is_never_replaced_and_the_difference_is_named(
    cloud, plan, names, trained, tmp_path, capsys
):
    all_home(cloud, plan, names, trained)
    assert parse(tmp_path) == 0
    store, (mine, gone) = home(tmp_path), plan.packs[0].trials[:2]
    record = store.record(mine)
    ours = replace(record, test_accuracy=12.5)
    store.record_path(mine).unlink()
    store.write_record(ours)
    store.record_path(gone).unlink()
    assert parse(tmp_path) == 0
    assert "1 trials came back with other results" in capsys.readouterr().out
    assert store.record(mine) == ours


def test_a_study_that_has_grown_here_takes_what_was_launched_before(cloud, plan, names, trained, tmp_path):
    all_home(cloud, plan, names, trained)
    grown = study_of(trials=3)
    home(tmp_path).create(grown)
    assert parse(tmp_path) == 0
    assert home(tmp_path).study() == grown
    assert home(tmp_path).ids()[0] == trained.ids()[0]


def test_every_setting_of_a_study_has_tables_of_its_own(aws, tmp_path):
    study = study_of(learning_rates=(1e-4, 1e-3), modes=("none",), trials=1)
    there = Store(tmp_path / "there" / "away")
    run_study(prepare(study), there, workers=1)
    cloud, plan = Cloud(), plan_of(study, there, packs=1)
    cloud.launch(plan, PLACE)
    cloud.job(PLACE.job_name(plan.packs[0].id, 1), content=archive(sent_home(there, plan.packs[0].trials)))
    assert parse(tmp_path, "--output", str(tmp_path / "tables")) == 0
    tables = ("psa_simplemlp_summary.md", "psa_simplemlp_trials.md")
    folders = ("mnist-lr0.0001-fraction0.02", "mnist-lr0.001-fraction0.02")
    assert files_in(tmp_path / "tables") == {f"{folder}/{table}" for folder in folders for table in tables}


def test_another_study_of_the_same_name_here_is_not_mixed_up_with_it(cloud, plan, tmp_path, capsys):
    home(tmp_path).create(study_of(seed=7))
    assert parse(tmp_path) == 2
    assert "their seed differ" in capsys.readouterr().err


def checkpoint(cloud: Cloud, trained: Store, pack: str, trial: str, network: bool = True) -> None:
    for path in (trained.record_path(trial), trained.network_path(trial))[: 1 + network]:
        key = f"{PLACE.checkpoints(pack)}{path.relative_to(trained.root)}"
        cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())


@pytest.mark.parametrize("status", ["Failed", "InProgress"])
def test_what_was_finished_before_the_archive_is_taken_from_the_checkpoints(
    status, cloud, plan, names, trained, tmp_path
):
    first, second, third, *_ = plan.packs[0].trials
    cloud.job(names[0], status)
    checkpoint(cloud, trained, plan.packs[0].id, first)
    checkpoint(cloud, trained, plan.packs[0].id, second, network=False)
    checkpoint(cloud, trained, f"{plan.packs[0].id}-a02", third)
    key = f"{PLACE.checkpoints(plan.packs[0].id)}work/{third}.resume.safetensors"
    cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=b"not for us")
    assert parse(tmp_path) == 1
    assert home(tmp_path).ids()[0] == {first, third}
    assert home(tmp_path).network_path(first).read_bytes() == trained.network_path(first).read_bytes()


def test_jobs_that_the_service_has_forgotten_still_have_their_archives(cloud, plan, names, trained, tmp_path):
    for name, pack in zip(names, plan.packs, strict=True):
        body = archive(sent_home(trained, pack.trials))
        cloud.s3.put_object(Bucket=BUCKET, Key=PLACE.archive(name), Body=body)
    assert parse(tmp_path) == 0


def test_a_download_that_breaks_off_is_tried_again(cloud, plan, names, trained, tmp_path, monkeypatch):
    from botocore.response import StreamingBody

    all_home(cloud, plan, names, trained)
    whole, broken = StreamingBody.iter_chunks, []

    def breaks_once(self, *args):
        from botocore.exceptions import IncompleteReadError

        for chunk in whole(self, *args):
            yield chunk[:7]
            if not broken:
                broken.append(True)
                raise IncompleteReadError(actual_bytes=7, expected_bytes=9)
            yield chunk[7:]

    monkeypatch.setattr(StreamingBody, "iter_chunks", breaks_once)
    assert parse(tmp_path) == 0
    assert broken
    assert content_of(home(tmp_path)) == content_of(trained)


@pytest.mark.parametrize(
    "words,sentence",
    [
        (["away"], "there is no bucket nowhere"),
        (["away", "--parallel", "0"], "--parallel 0 is not a whole number"),
        (["away", "--original"], "--original takes no study"),
        (["--originals"], "did you mean --original"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(words, sentence, cloud, capsys):
    assert main([*words, "--region", "us-east-1", "--bucket", "nowhere"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert sentence in captured.err


def test_several_studies_have_to_be_told_apart(cloud, plan, capsys):
    other = Place(BUCKET, "frustration", "other")
    cloud.launch(replace(plan, study=replace(plan.study, name="other")), other)
    assert main(FLAGS) == 2
    assert "2 studies are in s3://bench/frustration: away, other" in capsys.readouterr().err
    assert main(["awayy", *FLAGS]) == 2
    assert "did you mean away?" in capsys.readouterr().err


def test_a_public_bucket_is_pointed_out(cloud, plan, names, trained, tmp_path, capsys):
    all_home(cloud, plan, names, trained)
    cloud.s3.put_bucket_acl(Bucket=BUCKET, ACL="public-read")
    assert parse(tmp_path) == 0
    assert "the bucket bench is public" in capsys.readouterr().err


@pytest.mark.skipif("TEST_S3_ENDPOINT" in os.environ, reason="the S3 server under test has one region only")
def test_a_bucket_in_another_region_is_pointed_out(cloud, plan, names, trained, tmp_path, capsys):
    import boto3

    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    assert main(["away", "--region", "us-east-1", "--bucket", "far", "--results", str(tmp_path)]) == 2
    assert "the bucket far is in eu-west-1 but jobs run in us-east-1" in capsys.readouterr().err


def test_ctrl_c_leaves_whole_records_only_and_the_next_run_does_the_rest(
    cloud, plan, names, trained, tmp_path, monkeypatch, capsys
):
    from botocore.response import StreamingBody

    all_home(cloud, plan, names, trained)
    whole, begun = StreamingBody.iter_chunks, []

    def interrupted(self, *args):
        begun.append(True)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return whole(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(StreamingBody, "iter_chunks", interrupted)
        assert parse(tmp_path, "--parallel", "1") == 130
    assert "interrupted" in capsys.readouterr().err
    store = home(tmp_path)
    assert len(store.ids()[0]) in (0, 4)
    assert len(list(store.records())) == len(store.ids()[0])
    assert not list((store.root / "work").iterdir())
    assert parse(tmp_path) == 0
    assert content_of(store) == content_of(trained)


def test_no_secret_reaches_any_output(cloud, plan, names, trained, tmp_path, capsys, monkeypatch):
    env = tmp_path / ".env"
    key = os.environ.get("TEST_S3_ACCESS_KEY", "AKIASECRETKEY")
    secret_key = os.environ.get("TEST_S3_SECRET_KEY", "very-secret-value")
    env.write_text(f"AWS_ACCESS_KEY_ID={key}\nAWS_SECRET_ACCESS_KEY={secret_key}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    cloud.job(names[0], "Failed", failure_reason=f"AccessDenied: arn:aws:iam::{ACCOUNT}:role/trainer may not")
    assert parse(tmp_path, "--env-file", str(env)) == 1
    captured = capsys.readouterr()
    written = "".join(path.read_text() for path in (tmp_path / "results").rglob("*") if path.is_file())
    for text in (captured.out, captured.err, written):
        for secret in (key, secret_key, ACCOUNT):
            assert secret not in text
