"""analyze-dataset: class counts and ZeroR of every part of a data set, pixel density, where its files lie."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from frustration.commands.arguments import Parser, run
from frustration.dataset.summary import listing, summary

NAME = "analyze-dataset"
COLUMNS = 8
"""Of a user's file, how many are named."""


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the analysis; returns the exit code."""
    return run(NAME, _analyze, argv)


def _analyze(arguments: list[str]) -> int:
    options = parser().read(arguments)
    report(options.names or ["mnist"], options)
    return 0


def parser() -> Parser:
    """The command line."""
    result = Parser(NAME, __doc__.partition(": ")[2])
    result.add_argument(
        "names", nargs="*", metavar="NAME", help="data sets, or files such as data.csv:label (default: mnist)"
    )
    result.add_argument(
        "--folder", type=Path, metavar="PATH", help="look for the files here and nowhere else"
    )
    result.add_argument("--json", action="store_true", help="print JSON instead of tables")
    result.add_argument(
        "--list", action="store_true", help="all data sets: licence, where found or how to get them"
    )
    result.add_argument("--debug", action="store_true", help="errors with a traceback")
    return result


def report(names: list[str], options: argparse.Namespace) -> None:
    """Prints what the options ask for."""
    if options.list:
        sets: list[dict[str, Any]] = [dict(row) for row in listing(options.folder)]
    else:
        sets = [summary(name, options.folder) for name in names]
    if options.json:
        print(json.dumps(sets, indent=2))
    elif options.list:
        print(
            "\n\n".join(f"{row['name']}: {row['title']} ({row['licence']})\n  {row['where']}" for row in sets)
        )
    else:
        print("\n\n".join(as_text(facts) for facts in sets))


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


if __name__ == "__main__":
    sys.exit(main())
