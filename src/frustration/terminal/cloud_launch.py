"""What `sagemaker-launch` says: where the packs of a study stand, and what would be launched."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from frustration.cloud.instances import is_gpu
from frustration.cloud.settings import masked
from frustration.terminal.cloud_costs import offers, with_cents

if TYPE_CHECKING:
    from frustration.cloud.estimator import Offer
    from frustration.cloud.launch import LaunchState, Task
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan

ROWS = 12
PUBLISHED = "588 jobs, 869.5 billed hours of ml.g4dn.xlarge, $640.32 at $0.7364 an hour"
"""What the published run of the grid took, with one job for each architecture and mode."""


def standing(plan: CloudPlan, stands: LaunchState) -> Iterator[str]:
    """Where the packs of a plan stand, and what is the matter with some of them."""
    trials = len(plan.pack_of)
    counts = [(len(stands.done), "done"), (len(stands.running), "running"), (len(stands.todo), "to launch")]
    words = ", ".join(f"{count} {what}" for count, what in counts if count)
    yield f"{plan.study.name}: {trials:,} trials in {len(plan.packs)} packs: {words or 'nothing to do'}"
    for job in stands.lost.values():
        yield f"{job.name} completed, but its model.tar.gz is missing: not done"
    for of in stands.exhausted.values():
        yield (
            f"{of.latest.name}: {of.latest.status} after {of.attempts} attempts; not tried again "
            f"(--max-attempts {of.attempts + 1} or --force-rerun does)"
        )


def requests(place: Place, tasks: Sequence[Task], made: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The first request, and the jobs that are to be launched; of many, the first."""
    yield f"\nThe first of {len(made)} requests (--json prints all):"
    yield masked(json.dumps(made[0], indent=1))
    rows = [
        [
            place.job_name(task.pack.id, task.attempt),
            len(task.pack.trials),
            f"{task.pack.wall_seconds / 3600:.2f}",
        ]
        for task in tasks[:ROWS]
    ]
    yield "\n" + tabulate(rows, ["job", "trials", "hours"], disable_numparse=True)
    if len(tasks) > ROWS:
        yield f"and {len(tasks) - ROWS} more"


def compared(some: Sequence[Offer], published: bool) -> Iterator[str]:
    """The chosen instance beside others; `published`: of the published grid."""
    yield "\n" + offers(some)
    cpu = next((one for one in some if not is_gpu(one.machine.instance_type)), None)
    gpu = next((one for one in some if is_gpu(one.machine.instance_type)), None)
    if cpu and gpu:
        yield (
            f"{gpu.machine.instance_type} is counted with its cores, its GPU idle. With --device cuda it "
            f"would be cheaper than {cpu.machine.instance_type} if its GPU did the work of more than "
            f"{cpu.gpu_pays_above(gpu):.1f} cores of this machine"
        )
    yield (
        "Hours follow from a calibration on this machine, a group of trials on each physical core; "
        "--speed says how many times as fast a core of the instance is. Starting up is not counted; spot "
        "costs less."
    )
    if published:
        yield f"The published run of this grid: {PUBLISHED}"


def cost(offer: Offer) -> str:
    """What is about to be launched."""
    return (
        f"{offer.jobs} jobs, {offer.hours:.2f} hours of {offer.machine.instance_type}, about "
        f"${offer.dollars} (${with_cents(offer.rate)} an hour on demand; spot costs less, retries more)"
    )
