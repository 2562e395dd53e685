"""sagemaker-clean: list and remove the objects of one study in S3."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, cloud_of
from frustration.errors import FrustrationError, InputError

if TYPE_CHECKING:
    from frustration.cloud.place import Place

AT_ONCE = 1_000
"""Keys that DeleteObjects takes."""

MORE = """\
Without --yes it only lists. With it, everything under PREFIX/studies/STUDY/ is removed, and nothing else:
code and data that studies share stay, and so do the entries of jobs in SageMaker, which cost nothing.

It removes nothing while jobs of the study run, and nothing that is not in results/ yet (run
sagemaker-results-parser first, or say --lose).

examples:
  sagemaker-clean paper-98                       lists
  sagemaker-clean paper-98 --checkpoints --yes   only what unfinished work was resumed from
  sagemaker-clean paper-98 --yes"""


class SageMakerCleanOptions(InCloud):
    """List, and with --yes remove, the objects of one study in S3."""

    command = "sagemaker-clean"
    epilog = MORE

    study: str = argument("the name that it was launched with", metavar="STUDY")
    yes: bool = option("remove what is listed", False)
    checkpoints: bool = option("only checkpoints", False)
    lose: bool = option("also results that are not in results/ yet", False)


def _clean(options: SageMakerCleanOptions) -> int:
    from frustration.cloud.download import objects
    from frustration.cloud.storage import allowed
    from frustration.cloud.storage import uploads as unfinished_uploads

    cloud = cloud_of(options)
    s3, place = cloud.s3, cloud.place(options.study)
    if not options.study.strip("./") or "/" in options.study:
        raise InputError(f'"{options.study}" is not the name of a study')
    root = place.root + ("checkpoints/" if options.checkpoints else "")
    found = [(one["Key"], one["Size"]) for one in objects(s3, place.bucket, root)]
    # Who may not see such uploads has none to remove.
    uploads = allowed(f"uploads to {place.bucket}", unfinished_uploads(s3, place.bucket, root)) or []
    if not found and not uploads:
        print(f"nothing to remove in {place.uri(root)}")
        return 0
    folders = Counter(key.removeprefix(place.root).partition("/")[0] for key, _ in found)
    for folder, count in sorted(folders.items()):
        size = sum(size for key, size in found if key.removeprefix(place.root).partition("/")[0] == folder)
        print(f"{place.uri(place.root)}{folder}: {count:,} objects, {size / 2**20:,.3f} MiB")
    if uploads:
        print(f"{len(uploads):,} uploads that were never finished")
    if not options.yes:
        print("nothing was removed; --yes removes it")
        return 0
    _refuse_while_running(cloud.sagemaker, place)
    _refuse_what_is_not_home(options, s3, place, any(key.endswith("/model.tar.gz") for key, _ in found))
    _remove(s3, place.bucket, root, [key for key, _ in found], uploads)
    print(f"removed {len(found):,} objects from {place.uri(root)}")
    if _is_versioned(s3, place.bucket):
        print(
            "the bucket keeps old versions of what was removed, and they are billed until they are gone too"
        )
    return 0


def _refuse_while_running(sagemaker: Any, place: Place) -> None:
    from frustration.cloud.jobs import list_jobs

    running = [job.name for job in list_jobs(sagemaker, place) if job.runs]
    if running:
        raise FrustrationError(
            f"{len(running)} jobs of {place.study} are running ({', '.join(running[:3])}); wait for them, "
            f"or stop them with sagemaker-stop {place.study} --yes. Nothing was removed"
        )


def _refuse_what_is_not_home(options: SageMakerCleanOptions, s3: Any, place: Place, archives: bool) -> None:
    """Without a plan nobody can say whose archives those are, so that is refused as well."""
    from frustration.cloud.plan import read_plan
    from frustration.study.store import Store

    if options.lose:
        return
    plan = read_plan(s3, place)
    here = Store(options.results / place.study).ids()[0]
    away = [trial for trial in plan.pack_of if trial not in here] if plan else []
    if away:
        raise FrustrationError(
            f"{len(away):,} trials of {place.study} are not in {options.results / place.study}; "
            f"sagemaker-results-parser {place.study} downloads what there is, and --lose gives "
            f"them up. Nothing was removed"
        )
    if archives and plan is None:
        raise FrustrationError(
            f"{place.uri(place.root)} holds archives and no plan that says what they are; --lose gives them "
            f"up. Nothing was removed"
        )


def _remove(s3: Any, bucket: str, root: str, keys: list[str], uploads: list[dict[str, Any]]) -> None:
    from frustration.cloud.clients import CloudError, spoken

    # The plan is removed last: after an interrupt, the same command continues.
    keys.sort(key=lambda key: (key.removeprefix(root).startswith("plan"), key))
    with spoken(f"cannot remove what is in s3://{bucket}/{root}"):
        for upload in uploads:
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for at in range(0, len(keys), AT_ONCE):
            part = keys[at : at + AT_ONCE]
            assert all(key.startswith(root) for key in part)
            answer = s3.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": key} for key in part], "Quiet": True}
            )
            if errors := answer.get("Errors"):
                first = errors[0]
                raise CloudError(
                    f"{len(errors)} objects could not be removed, the first {first['Key']}: {first['Code']}"
                )


def _is_versioned(s3: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    from frustration.cloud.clients import spoken

    with spoken(f"cannot ask about versions in {bucket}"), contextlib.suppress(ClientError):
        return "Status" in s3.get_bucket_versioning(Bucket=bucket)
    return False  # who may not ask is not told


main = command(SageMakerCleanOptions, _clean)
