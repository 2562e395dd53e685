"""analyze-dataset: class counts and ZeroR of every part of a data set, pixel density, where its files are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabulate import tabulate

from frustration.commands.options import Options, argument, command, option
from frustration.dataset.summary import listing, summary

COLUMNS = 8
"""Of a user's file, how many are named."""


class DatasetOptions(Options):
    """Class counts and ZeroR of every part of a data set, pixel density, and where its files are."""

    command = "analyze-dataset"

    names: tuple[str, ...] = argument(
        "data sets, or files such as data.csv:label (default: mnist)", (), metavar="NAME"
    )
    folder: Path | None = option("look for the files here and nowhere else", read=Path, metavar="PATH")
    json: bool = option("print JSON instead of tables", False)
    all_sets: bool = option("all data sets: licence, where found or how to get them", False, flag="--list")


def _analyze(options: DatasetOptions) -> int:
    if options.all_sets:
        sets: list[dict[str, Any]] = [dict(row) for row in listing(options.folder)]
    else:
        sets = [summary(name, options.folder) for name in options.names or ("mnist",)]
    if options.json:
        print(json.dumps(sets, indent=2))
    elif options.all_sets:
        print(
            "\n\n".join(f"{row['name']}: {row['title']} ({row['licence']})\n  {row['where']}" for row in sets)
        )
    else:
        print("\n\n".join(as_text(facts) for facts in sets))
    return 0


def as_text(facts: dict[str, Any]) -> str:
    """One data set: a line of facts, then a table with one row per class and one column per part."""
    parts = facts["parts"]
    columns = [part["counts"] for part in parts.values()]
    names = facts.get("class_names", range(facts["classes"]))
    rows: list[list[Any]] = [[name, *counts] for name, *counts in zip(names, *columns, strict=True)]
    images = "title" in facts
    rows.append(["images" if images else "rows", *(part["images"] for part in parts.values())])
    rows.append(["ZeroR %", *(f"{part['zero_r_percent']:.2f}" for part in parts.values())])
    return "\n".join(
        [
            *(_of_images(facts) if images else _of_columns(facts)),
            f"digest {facts['digest']}",
            "",
            tabulate(
                rows, headers=["class", *parts], tablefmt="github", disable_numparse=True, stralign="right"
            ),
        ]
    )


def _of_images(facts: dict[str, Any]) -> list[str]:
    return [
        f"{facts['name']}: {facts['title']} ({facts['licence']})",
        f"found in {facts['folder']}",
        f"{facts['features']} pixels of which {facts['pixel_density_percent']:.1f} % are not 0, "
        f"fed in as (byte / 255 - {facts['mean']}) / {facts['std']}",
    ]


def _of_columns(facts: dict[str, Any]) -> list[str]:
    some = [f"{one['name']} ({one['mean']:g}, {one['std']:g})" for one in facts["columns"][:COLUMNS]]
    more = [f"and {facts['features'] - COLUMNS} more"] if facts["features"] > COLUMNS else []
    return [
        facts["name"],
        f"{facts['features']} features, fed in as (number - mean) / std of the training part: "
        + ", ".join([*some, *more]),
    ]


main = command(DatasetOptions, _analyze)
