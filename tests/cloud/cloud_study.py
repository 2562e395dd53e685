"""A study in the cloud that nobody trained: enough for tests of what lies around the training."""

from dataclasses import replace

from home_kit import BUCKET, Cloud, study_of

from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, Pack

PLACE = Place(BUCKET, "frustration", "away")


def plan_of_nothing(packs: int = 4) -> CloudPlan:
    """A plan whose trials have the digests of no data: enough where nothing is trained."""
    study = study_of()
    digests = {("mnist", 0.02): "0" * 64}
    order = [spec.id for spec in study.specs(digests)]
    size = len(order) // packs
    parts = [tuple(order[at : at + size]) for at in range(0, len(order), size)]
    made = [
        Pack(id=PLACE.pack_id(part), trials=part, core_seconds=1800, wall_seconds=1800.0) for part in parts
    ]
    return CloudPlan(study=study, digests=digests, packs=tuple(made), instance_type="ml.c5.xlarge")


def other_study(cloud: Cloud, plan: CloudPlan) -> Place:
    """A second study under the same prefix, one job of which runs."""
    place = Place(BUCKET, "frustration", "away-two")
    cloud.launch(replace(plan, study=replace(plan.study, name="away-two")), place)
    return place
