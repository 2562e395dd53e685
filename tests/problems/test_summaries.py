"""Summaries of dialogues: data in SAMSum's form, a tokenizer, a T5 and ROUGE, all without a download."""

import csv
import json
import random

import pyarrow
import pyarrow.parquet
import pytest
import torch
from rouge_score import rouge_scorer

from frustration.commands.study import main
from frustration.errors import InputError
from frustration.problems import summaries
from frustration.problems.dialogues import dialogues, made_up
from frustration.problems.pretrained import pretrained as pretrained_network
from frustration.problems.rouge import rouge
from frustration.problems.summaries import Summaries

pytestmark = pytest.mark.slow

TINY = Summaries(width=16, feed_forward=24, dialogues=24)
NAMES = {"ROUGE-1": "rouge1", "ROUGE-2": "rouge2", "ROUGE-L": "rougeL"}


def odd_text(draw: random.Random) -> str:
    letters = "aab bc d  e1 2.,'-_é\n Ä ß 中"
    return "".join(draw.choice(letters) for _ in range(draw.randint(0, 30)))


def test_rouge_is_what_the_package_rouge_score_computes():
    draw, scorer = random.Random(0), rouge_scorer.RougeScorer(list(NAMES.values()))
    pairs = [(odd_text(draw), odd_text(draw)) for _ in range(200)]
    pairs += [(one.summary, other.summary) for one, other in zip(made_up(40, 1), made_up(40, 2), strict=True)]
    for made, wanted in pairs:
        theirs = scorer.score(wanted, made)
        for name, score in rouge([made], [wanted]).items():
            assert score == pytest.approx(100 * theirs[NAMES[name]].fmeasure, abs=1e-12), (made, wanted)


def test_rouge_of_several_is_their_mean():
    assert rouge(["a b", "c"], ["a b", "d"])["ROUGE-1"] == 50


def test_made_up_dialogues_follow_from_their_seed_and_parts_differ():
    assert made_up(20, 1) == made_up(20, 1)
    found = dialogues("made-up", 40)
    assert {name: len(part) for name, part in found.items()} == {"train": 40, "validation": 10, "test": 20}
    assert not set(found["train"][:10]) & set(found["validation"])


def test_the_tokenizer_is_the_same_each_time_and_gives_every_summary_back():
    first, again = (summaries._trained_tokenizer.__wrapped__("made-up", 64, 400) for _ in range(2))
    assert first.get_vocab() == again.get_vocab()
    for one in made_up(20, 0):
        ids = first(one.summary)["input_ids"]
        assert first.decode(ids, skip_special_tokens=True) == one.summary
        assert ids[-1] == first.eos_token_id


def test_padding_takes_no_part_in_the_loss():
    parts = TINY.data()
    network = TINY.build().eval()
    rows = sorted(parts.train, key=lambda row: len(row["input_ids"]))
    short, long = rows[0], rows[-1]
    alone = TINY.loss(network, parts.collate([short])).item()
    padded = {name: value[:1] for name, value in parts.collate([short, long]).items()}
    assert padded["input_ids"].shape[1] > len(short["input_ids"])
    assert TINY.loss(network, padded).item() == pytest.approx(alone, rel=1e-5)


def test_the_score_is_rouge_of_what_is_generated():
    class Echo(torch.nn.Module):
        def generate(self, input_ids, **_):
            return input_ids

    parts = TINY.data()
    batch = parts.collate(parts.train[:3])
    told = {**batch, "input_ids": batch["labels"].clamp(min=0)}
    assert TINY.score(Echo(), [told]) == pytest.approx(100)
    assert TINY.score(Echo(), [batch]) < 100
    assert TINY.further_scores(Echo(), [told]).keys() == NAMES.keys()


def test_dendrites_grow_on_the_feed_forward_layers_and_a_wider_self_has_as_many_parameters():
    shape = TINY.shape()
    assert all("DenseReluDense" in name for name in shape.layout.growing)
    assert len(shape.layout.growing) == 4
    grown = shape.with_dendrites((2,) * 4)
    assert abs(shape.widened(2).parameters / grown.parameters - 1) < 0.02


def test_a_setting_that_is_none_is_refused():
    with pytest.raises(InputError, match='grows is "feed-forward" or "all"'):
        Summaries(grows="everywhere").growable(torch.nn.Linear(1, 1))


ROWS = [{"id": str(n), "dialogue": one.text, "summary": one.summary} for n, one in enumerate(made_up(12, 5))]


@pytest.fixture
def samsum(tmp_path):
    folder = tmp_path / "samsum"
    folder.mkdir()
    (folder / "train.json").write_text(json.dumps(ROWS[:8]))
    (folder / "val.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS[8:10]))
    with (folder / "test.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["id", "dialogue", "summary"])
        table.writeheader()
        table.writerows(ROWS[10:])
    return folder


def test_files_in_samsum_s_form_are_read_by_folder_or_by_name(samsum, monkeypatch):
    by_folder = dialogues(str(samsum), 0)
    assert [tuple(one) for one in by_folder["train"]] == [(r["dialogue"], r["summary"]) for r in ROWS[:8]]
    assert [tuple(one) for one in by_folder["test"]] == [(r["dialogue"], r["summary"]) for r in ROWS[10:]]
    monkeypatch.setenv("FRUSTRATION_DATASETS", str(samsum.parent))
    assert dialogues("samsum", 0) == by_folder


WRITTEN = [
    {
        "id": "13818513",
        "dialogue": 'Amanda: I baked  cookies. \r\nJerry: Sure, "ok"!\u2028',
        "summary": "Ünï, 1.",
    },
    {"id": "13828807", "dialogue": "", "summary": "problem with visualization of the content"},
    {"id": "13728867", "dialogue": "Olivia: 🙂\nOliver: Great", "summary": "They, \nboth."},
]
"""As published: ids, CR and LF, quotes, emoji, and one dialogue that is empty."""


def as_json(folder, part):
    (folder / f"{part}.json").write_text(json.dumps(WRITTEN, ensure_ascii=False), "utf-8-sig")


def as_jsonl(folder, part):
    lines = [json.dumps(row, ensure_ascii=False) for row in WRITTEN]
    (folder / f"{part}.jsonl").write_text("\n".join(lines), "utf-8")


def as_csv(folder, part):
    with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["id", "dialogue", "summary"])
        table.writeheader()
        table.writerows(WRITTEN)


def as_parquet(folder, part):
    (folder / "data").mkdir(exist_ok=True)
    for number, rows in enumerate((WRITTEN[:2], WRITTEN[2:])):
        shard = folder / "data" / f"{part}-0000{number}-of-00002.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), shard)


@pytest.mark.parametrize("written", [as_json, as_jsonl, as_csv, as_parquet])
def test_every_form_in_which_samsum_is_published_is_read_alike(written, tmp_path):
    for part in ("train", "validation" if written is as_parquet else "val", "test"):
        written(tmp_path, part)
    expected = [(row["dialogue"], row["summary"]) for row in WRITTEN if row["dialogue"]]
    found = dialogues(str(tmp_path), 0)
    assert {part: [tuple(one) for one in rows] for part, rows in found.items()} == dict.fromkeys(
        ("train", "validation", "test"), expected
    )


def test_what_is_no_such_file_is_told_in_a_sentence(samsum):
    with pytest.raises(InputError, match="install the package datasets"):
        dialogues("no-such-folder", 0)
    (samsum / "train.json").write_text('[{"dialogue": "a"}]')
    with pytest.raises(InputError, match="every entry has a dialogue and a summary"):
        dialogues(str(samsum), 0)
    (samsum / "train.json").unlink()
    with pytest.raises(InputError, match=r"has no train.json, train.jsonl, train.csv or train.parquet"):
        dialogues(str(samsum), 0)


@pytest.fixture
def pretrained(tmp_path):
    """A T5 with three layers and its tokenizer, in a folder."""
    torch.manual_seed(1)
    three = Summaries(width=16, feed_forward=24, dialogues=24, layers=3)
    three.build().save_pretrained(tmp_path / "t5")
    three.tokenizer.save_pretrained(tmp_path / "t5")
    return tmp_path / "t5"


def test_a_pretrained_network_is_compressed_by_leaving_layers_out(pretrained, samsum):
    fields = {"model": str(pretrained), "dataset": str(samsum), "dialogues": 6}
    whole, shorter = Summaries(**fields), Summaries(**fields, layers=2)
    full, compressed = whole.build(), shorter.build()
    assert len(compressed.encoder.block) == len(compressed.decoder.block) == 2
    kept = compressed.decoder.block[1].layer[2].DenseReluDense.wi.weight
    assert torch.equal(kept, full.decoder.block[2].layer[2].DenseReluDense.wi.weight)
    parts = shorter.data()
    assert len(parts.train) == 6
    batch = parts.collate(parts.validation)
    assert 0 <= shorter.score(compressed.eval(), [batch]) <= 100
    assert shorter.loss(compressed, batch).isfinite()
    assert len(whole.build().encoder.block) == 3  # what others hold is not changed
    assert whole.widened(100_000) is None


def test_other_pretrained_weights_are_another_trial(pretrained, samsum):
    fields = {"model": str(pretrained), "dataset": str(samsum)}
    before = Summaries(**fields).digest()
    with torch.no_grad():
        next(pretrained_network(str(pretrained), summaries.SEQUENCES).parameters())[0, 0] += 1
    assert Summaries(**fields).digest() != before


def test_a_model_that_cannot_be_had_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match='the model "no/such-model" is neither a folder here'):
        Summaries(model="no/such-model").build()


def test_one_command_ends_in_a_report_of_five_arms(tmp_path, capsys):
    problem = "summaries:Summaries(width=16, feed_forward={}, dialogues=16, summary_tokens=4)"
    words = ["--full", problem.format(8), "--compressed", problem.format(4), "--learning-rate", "0.03"]
    words += ["--trials", "1", "--meta-loops", "7", "--threads", "1", "--no-estimate", "--json"]
    assert main(["preset", "summaries", *words, "--results", str(tmp_path)]) == 0, capsys.readouterr().err
    text = (tmp_path / "summaries" / "report" / "protocol.md").read_text()
    first = next(line for line in text.splitlines() if line.startswith("- "))
    assert first.startswith("- B compressed + dendrites minus C at B's steps: ")
    assert "points of test ROUGE-L" in first
    for row in ("test ROUGE-1", "latency, µs, 1 sample", "peak memory, kB, 1 sample", "effective parameters"):
        assert f"| {row}" in text
    assert "Compression cost" in text
