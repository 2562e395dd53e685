"""The quick reader of records believes nothing that the plain one does not, and knows what we write."""

import hashlib
import json
import random
import re
from dataclasses import replace

import pytest
from attack_kit import records, spoiled

from frustration import record_head
from frustration.errors import InputError
from frustration.metric import Metric
from frustration.record import LoopEntry, TrialRecord
from frustration.record_head import finished_head
from frustration.record_reading import RecordFields, RecordHead, finished_record
from frustration.references import ProblemReference
from frustration.sealed_json import seal
from frustration.spec import TrialSpec
from frustration.study.summary import summary

ERROR = Metric("mean squared error", unit="", better="lower")
NUMBERS = (
    "0 -0 00 01 1. .5 +1 1.5 1e5 1E5 1e+05 1.5e-07 1e300 1e301 1e400 100 100.0 100.5 -1 -0.5 NaN null true"
)
TEXTS = (*NUMBERS.split(), "9" * 15, "9" * 16, "9" * 400, "[]", "{}", '"x"', '"\\ud800"', '"\\""', '"\x01"')


def written(record: TrialRecord) -> bytes:
    return (seal(record.to_dict()) + "\n").encode()


def grown() -> TrialRecord:
    """Of a network that grew, adopted and diverged on the way; scores are errors."""
    problem = ProblemReference(
        path="made_up:p", version=1, fields=(), metric=ERROR, label="made_up:p", source="made_up.py"
    )
    spec = TrialSpec.of(problem, "dendrites", meta_loops=3, dataset_digest="f" * 64)
    entry = LoopEntry(
        loop=1,
        mode="dendrites",
        loss=1e-7,
        before=None,
        damaged=None,
        accuracy=140.5,
        accepted=True,
        new_bounty=True,
        evidence={"dendrites": {"added": [[0, 1], [1, 0]], "why": "plateau", "restored": None}},
        dendrites=1,
        parameters=9,
        flops=18,
    )
    curve = (
        entry,
        replace(entry, loop=2, loss=None, accuracy=-3.0, accepted=False, new_bounty=False, diverged=True),
        replace(entry, loop=3, accuracy=12.25, adopted=1),
    )
    same = next(records(1))
    return replace(same, spec=spec, loop=3, curve=curve, bounty=12.25, bounty_loop=3, test_accuracy=13)


def read(content: bytes) -> tuple[dict, bool] | None:
    """The line that the plain reader gives, and whether there was a digest; None where it refuses."""
    try:
        found = finished_record(content)
    except InputError:
        return None
    return summary(found), found.sealed


def quickly(content: bytes) -> RecordHead | None:
    """What the quick reader accepts without the other's help."""
    try:
        return record_head._quickly(content)
    except InputError:
        return None


@pytest.mark.parametrize("record", [*records(2), grown()], ids=["none", "hidden", "grown"])
def test_what_this_program_writes_is_read_quickly_and_as_the_plain_reader_reads_it(record):
    found = quickly(written(record))
    assert found is not None
    assert (summary(found), found.sealed) == read(written(record))
    assert json.dumps(summary(found)) == json.dumps(summary(finished_record(written(record))))
    assert dict(found.fields) == {k: v for k, v in record.to_dict().items() if k != "curve"}


def test_it_believes_no_wrong_value_under_a_digest_that_agrees():
    accepted = refused = 0
    wholes = [json.loads(json.dumps(record.to_dict())) for record in (*records(2), grown())]
    for number in range(3_000):
        draw = random.Random(number)
        changed = spoiled(draw.choice(wholes), draw)
        if changed is None or not writable(changed[0]):
            continue
        content = seal(changed[0]).encode()
        found = quickly(content)
        if found is None:
            refused += 1
        else:
            accepted += 1
            assert (summary(found), True) == read(content), changed[1]
    assert min(accepted, refused) > 100


def writable(fields: dict) -> bool:
    try:
        seal(fields).encode()
    except ValueError:  # NaN
        return False
    return True


def resealed(text: str) -> bytes:
    """Any text as a record under a digest that agrees."""
    return f'{text}, "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'.encode()


def test_it_believes_no_curve_that_is_not_json():
    """Every value of a curve in turn becomes each of many texts, and characters go, come or change."""
    accepted = refused = 0
    for record in (*records(2), grown()):
        text = json.dumps(record.to_dict())[:-1]
        begin = text.index('"curve"')
        places = [match.span(1) for match in re.finditer(r": ([^,{}\[\]]+)[,}]", text[begin:])]
        changed = [text[: begin + a] + new + text[begin + b :] for a, b in places for new in TEXTS]
        draw = random.Random(1)
        for _ in range(1_000):
            at = draw.randrange(begin - 2, len(text))
            new = draw.choice(("", *'0123456789.,:-+e{}[]" \\ntx', ", ", "{}", "\n"))
            changed.append(text[:at] + new + text[at + draw.randrange(3) :])
        for one in changed:
            content = resealed(one)
            found = quickly(content)
            accepted, refused = accepted + (found is not None), refused + (found is None)
            if found is not None:
                assert (summary(found), True) == read(content), one
    assert min(accepted, refused) > 500


@pytest.mark.parametrize("odd", ["without a digest", "other names", "deep evidence", "no loops"])
def test_what_the_pattern_does_not_know_is_read_all_the_same(odd):
    record = next(records(1))
    fields = record.to_dict()
    if odd == "other names":
        fields["curve"][1]["mode"] = "näher"
    if odd == "deep evidence":
        fields["curve"][1]["evidence"] = {"mine": [[[[[1]]]]]}
    if odd == "no loops":
        fields["curve"] = []
    content = (json.dumps(fields) if odd == "without a digest" else seal(fields)).encode()
    assert quickly(content) is None
    if odd == "no loops":
        with pytest.raises(InputError, match="it is not finished: it has 0 of 4 loops"):
            finished_head(content)
    else:
        found = finished_head(content)
        assert isinstance(found, RecordFields)
        assert found.record().spec == record.spec


def test_a_spec_nested_to_any_depth_is_refused_in_a_sentence():
    fields = next(records(1)).to_dict()
    for depth in (30, *range(700, 1000, 2), 50_000):
        deep = f'"mode_params": [{"[" * depth}{"]" * depth}, '
        nested = json.dumps(fields).replace('"mode_params": [', deep)
        for reader in (finished_head, finished_record):
            with pytest.raises(InputError, match=r"^[^\n]*$"):
                reader(resealed(nested[:-1]))
