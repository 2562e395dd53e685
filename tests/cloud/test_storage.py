"""What is in S3 is weighed by kind; only one study's is ever removed, listed first and asked for."""

import json

import pytest
from cloud_study import PLACE, other_study
from home_kit import BUCKET, FLAGS

from frustration.commands.sagemaker_clean import main as clean
from frustration.commands.sagemaker_estimate_storage import main as storage


def put(cloud, key: str, size: int) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * size)


def keys(cloud) -> set[str]:
    found = cloud.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {one["Key"] for one in found}


def weighed(capsys, *words: str) -> dict:
    assert storage([*FLAGS, "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_everything_is_weighed_by_study_and_kind(cloud, capsys):
    put(cloud, PLACE.archive("job"), 700)
    put(cloud, f"{PLACE.output}/job/profiler-output/1.json", 50)
    put(cloud, f"{PLACE.checkpoints('pack')}work/1.resume.safetensors", 300)
    put(cloud, PLACE.code("c" * 12) + "train.py", 40)
    put(cloud, "frustration/psa-1x2-none-2025-01-01/output/model.tar.gz", 20)
    put(cloud, "frustration/psa-1x2-none-2025-01-01/debug-output/x", 10)
    put(cloud, "elsewhere/not-ours", 999)
    found = weighed(capsys)
    plan_bytes = cloud.s3.head_object(Bucket=BUCKET, Key=PLACE.plan())["ContentLength"]
    assert {(one["study"], one["kind"]): one["bytes"] for one in found["kinds"]} == {
        ("away", "archives"): 700,
        ("away", "output beside archives"): 50,
        ("away", "checkpoints"): 300,
        ("away", "plans"): plan_bytes,
        (None, "code and data"): 40,
        (None, "original archives"): 20,
        (None, "original output beside archives"): 10,
    }
    assert found["bytes"] == 1120 + plan_bytes
    assert found["objects"] == 7


def test_old_versions_and_unfinished_uploads_are_found_because_they_are_billed(cloud, capsys):
    cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    put(cloud, PLACE.archive("job"), 700)
    put(cloud, PLACE.archive("job"), 500)
    upload = cloud.s3.create_multipart_upload(Bucket=BUCKET, Key=PLACE.archive("torn"))["UploadId"]
    cloud.s3.upload_part(
        Bucket=BUCKET, Key=PLACE.archive("torn"), UploadId=upload, PartNumber=1, Body=b"y" * 6_000
    )
    found = weighed(capsys)
    assert found["old_versions"] == {"objects": 1, "bytes": 700}
    assert found["unfinished_uploads"] == {"objects": 1, "bytes": 6_000}


def test_the_price_is_the_user_s_and_nothing_is_assumed(cloud, capsys):
    put(cloud, PLACE.archive("job"), 2**20)
    assert weighed(capsys)["usd_per_month"] is None
    found = weighed(capsys, "--price-gib-month", "1024")
    assert found["usd_per_month"] == pytest.approx(found["bytes"] / 2**20, abs=1e-5)
    assert storage(FLAGS) == 0
    assert "its price: give --price-gib-month" in capsys.readouterr().out


def test_an_empty_bucket_is_no_error(aws, capsys):
    from home_kit import Cloud

    Cloud()
    assert storage(FLAGS) == 0
    assert "there is nothing in s3://bench/frustration/" in capsys.readouterr().out


def test_clean_lists_and_removes_nothing_until_told(cloud, capsys, tmp_path):
    put(cloud, PLACE.archive("job"), 700)
    before = keys(cloud)
    assert clean(["away", *FLAGS, "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "s3://bench/frustration/studies/away/output: 1 objects" in out
    assert "nothing was removed; --yes removes it" in out
    assert keys(cloud) == before


def test_clean_removes_one_study_and_nothing_of_another_whose_name_begins_alike(cloud, plan, tmp_path):
    other = other_study(cloud, plan)
    put(cloud, other.archive("job"), 10)
    put(cloud, PLACE.code("c" * 12) + "train.py", 40)
    for number in range(1_100):
        put(cloud, f"{PLACE.checkpoints('p')}work/{number}", 0)
    mine = {key for key in keys(cloud) if key.startswith("frustration/studies/away/")}
    others = keys(cloud) - mine
    assert clean(["away", "--yes", "--lose", *FLAGS, "--results", str(tmp_path)]) == 0
    assert keys(cloud) == others
    assert len(others) == 3


def test_clean_refuses_what_is_not_home_and_what_is_at_work(cloud, names, tmp_path, capsys):
    put(cloud, PLACE.archive(names[0]), 700)
    before = keys(cloud)
    flags = [*FLAGS, "--results", str(tmp_path), "--yes"]
    assert clean(["away", *flags]) == 1
    assert "8 trials of away are not in" in capsys.readouterr().err
    cloud.job(names[1], "InProgress")
    assert clean(["away", "--lose", *flags]) == 1
    assert "1 jobs of away are running" in capsys.readouterr().err
    assert keys(cloud) == before


def test_archives_without_a_plan_are_not_removed_by_accident(cloud, names, tmp_path, capsys):
    put(cloud, PLACE.archive(names[0]), 700)
    cloud.s3.delete_object(Bucket=BUCKET, Key=PLACE.plan())
    flags = [*FLAGS, "--results", str(tmp_path), "--yes"]
    assert clean(["away", *flags]) == 1
    assert "no plan that says what they are" in capsys.readouterr().err
    assert clean(["away", "--lose", *flags]) == 0
    assert not keys(cloud)


def test_checkpoints_can_go_alone_and_torn_uploads_go_with_them(cloud, tmp_path):
    put(cloud, f"{PLACE.checkpoints('pack')}work/x", 300)
    put(cloud, PLACE.archive("job"), 700)
    cloud.s3.create_multipart_upload(Bucket=BUCKET, Key=f"{PLACE.checkpoints('pack')}torn")
    flags = [*FLAGS, "--results", str(tmp_path), "--yes", "--lose", "--checkpoints"]
    assert clean(["away", *flags]) == 0
    assert keys(cloud) == {PLACE.plan(), PLACE.archive("job")}
    assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../away"])
def test_what_is_no_study_s_name_is_refused(name, cloud, capsys):
    before = keys(cloud)
    assert clean([name, *FLAGS, "--yes", "--lose"]) == 2
    assert "is not the name of a study" in capsys.readouterr().err
    assert keys(cloud) == before


def test_a_study_that_is_not_there_is_nothing_to_remove(cloud, capsys):
    assert clean(["nothing", *FLAGS, "--yes"]) == 0
    assert "nothing to remove in s3://bench/frustration/studies/nothing/" in capsys.readouterr().out
