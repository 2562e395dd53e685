"""Dialogues with their summaries, as SAMSum has them: made up by a seeded generator, or read from files."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from frustration.files import expanded, read_file
from frustration.references import ProblemError

MADE_UP: Final = "made-up"
SIZES: Final = {"train": 1.0, "validation": 0.25, "test": 0.5}
"""Parts of made-up data, in shares of the training part."""
_FILES: Final = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
_ON_THE_HUB: Final = {"samsum": "knkarthick/samsum"}

_NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana"]
_PLACES = ["the station", "the museum", "the harbour", "the office", "the library", "the park"]
_TIMES = ["at noon", "at five", "tonight", "tomorrow", "on Monday", "next week"]
_THINGS = ["the tickets", "a cake", "the keys", "an umbrella", "some flowers", "a map"]
_SMALL_TALK = ["How are you?", "Long time no see!", "It is so cold today.", "What a day!"]


class Dialogue(NamedTuple):
    """What was said, one line a turn, and what it came to."""

    text: str
    summary: str


def dialogues(dataset: str, size: int) -> dict[str, list[Dialogue]]:
    """By part. `dataset`: made-up (of `size` for training), a folder of files, or a name."""
    if dataset == MADE_UP:
        return {
            part: made_up(max(1, round(share * size)), seed)
            for seed, (part, share) in enumerate(SIZES.items())
        }
    folder = _folder(dataset)
    found = _of_files(folder) if folder else _of_the_hub(dataset)
    if not found["train"] or not found["validation"]:
        raise ProblemError(f"the data set {dataset} lacks dialogues to train on, or to validate with")
    return found


def made_up(count: int, seed: int) -> list[Dialogue]:
    """Two people agree to meet, or one asks the other to bring something, or declines."""
    draw = random.Random(seed)
    return [_one(draw) for _ in range(count)]


def _one(draw: random.Random) -> Dialogue:
    a, b = draw.sample(_NAMES, 2)
    place, time, thing = draw.choice(_PLACES), draw.choice(_TIMES), draw.choice(_THINGS)
    lines, summary = draw.choice(
        [
            (
                [f"{a}: Shall we meet {time}?", f"{b}: Yes, where?", f"{a}: At {place}."],
                f"{a} and {b} will meet at {place} {time}.",
            ),
            (
                [f"{a}: I will be at {place} {time}.", f"{a}: Can you bring {thing}?", f"{b}: Of course."],
                f"{b} will bring {thing} to {place} {time}.",
            ),
            (
                [f"{a}: Will you come to {place} {time}?", f"{b}: Sorry, I have no time."],
                f"{b} will not come to {place} {time}.",
            ),
        ]
    )
    chat = [f"{draw.choice([a, b])}: {draw.choice(_SMALL_TALK)}" for _ in range(draw.randint(0, 2))]
    at = draw.randint(0, len(lines))
    return Dialogue("\n".join(lines[:at] + chat + lines[at:]), summary)


def _folder(dataset: str) -> Path | None:
    """Where a data set's files are: the folder itself, or one of that name among the data sets."""
    roots = [Path(), Path("dataset")]
    if root := os.environ.get("FRUSTRATION_DATASETS"):
        roots.insert(0, expanded(Path(root)))
    return next((place for root in roots if (place := expanded(root / dataset)).is_dir()), None)


def _of_files(folder: Path) -> dict[str, list[Dialogue]]:
    """`train`, `val` or `validation`, and `test`, as .json, .jsonl, .csv or .parquet, whole or in shards."""
    found: dict[str, list[Dialogue]] = {}
    for part, names in _FILES.items():
        paths = [folder / f"{name}.{kind}" for name in names for kind in _READERS]
        present = [path for path in paths if path.exists()][:1] or _shards(folder, names)
        if not present and part != "test":
            few, last = ", ".join(path.name for path in paths[:3]), paths[3].name
            raise ProblemError(f"{folder} has no {few} or {last}")
        found[part] = [dialogue for path in present for dialogue in _read(path)]
    return found


def _shards(folder: Path, names: Iterable[str]) -> list[Path]:
    """As the hub stores a part: train-00000-of-00001.parquet, often in a folder `data`."""
    return sorted(
        path
        for name in names
        for place in (folder, folder / "data")
        for path in place.glob(f"{name}-*-of-*.parquet")
    )


def _read(path: Path) -> list[Dialogue]:
    try:
        return list(_of_rows(_READERS[path.suffix.removeprefix(".")](path)))
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(
            f"{path} is no list of dialogues: every entry has a dialogue and a summary ({error!r})"
        ) from None


def _of_rows(rows: Iterable[Any]) -> Iterator[Dialogue]:
    """Entries without a dialogue or without a summary, of which SAMSum has one, are left out."""
    for row in rows:
        if row["dialogue"] and row["summary"]:
            yield Dialogue(str(row["dialogue"]), str(row["summary"]))


def _text(path: Path) -> str:
    return read_file(path).decode("utf-8-sig")


def _rows_of_parquet(path: Path) -> Any:
    from frustration.dataset.tables import read_parquet

    return read_parquet(path).to_pylist()


_READERS: Final[dict[str, Callable[[Path], Any]]] = {
    "json": lambda path: json.loads(_text(path)),
    "jsonl": lambda path: [json.loads(line) for line in _text(path).split("\n") if line.strip()],
    "csv": lambda path: csv.DictReader(io.StringIO(_text(path), newline="")),
    "parquet": _rows_of_parquet,
}
"""The rows of a file, by its ending."""


def _of_the_hub(dataset: str) -> dict[str, list[Dialogue]]:
    try:
        import datasets
    except ImportError:
        raise ProblemError(
            f"there is no folder {dataset} here or in dataset/; put train.json, val.json and test.json into "
            f"one, or install the package datasets, which can download it"
        ) from None
    whole = datasets.load_dataset(_ON_THE_HUB.get(dataset, dataset))
    return {part: list(_of_rows(whole.get(part, ()))) for part in _FILES}
