"""sagemaker-results-parser: download the records of a study and make tables of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import whole
from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, cloud_of
from frustration.errors import FrustrationError, InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud

ORIGINAL = "psa_simplemlp"
"""The folder in results/ for jobs of the original project that belong to no study."""

MORE = """\
With a study's name, its records go to results/STUDY and its tables to results/STUDY/report.
Without one, the only study under the prefix is meant, or the jobs of the original project
(PREFIX/psa-ARCH-MODE-TIME/output/model.tar.gz), and the tables go to results/:
  psa_simplemlp_summary.md    mean, std (ddof 0), min and max of the bounties of every cell
  psa_simplemlp_trials.md     the bounty of every trial

It can be run at any time, also while jobs run: nothing is downloaded twice, and no
record is ever replaced. Everything missing is listed with its reason. Exit code 0: all is here;
1: some of it is missing, running, failed or damaged.

examples:
  sagemaker-results-parser                          settings from aws/sagemaker/.env
  sagemaker-results-parser paper-98 --parallel 16
  sagemaker-results-parser --original --prefix psa-simplemlp --trials 10"""


class ResultsOptions(InCloud):
    """Download the results of a study's jobs from S3, check them, put them into the study's store, and
    write summary and trials as markdown."""

    command = "sagemaker-results-parser"
    epilog = MORE

    study: str | None = argument("the name that it was launched with", None, metavar="STUDY")
    original: bool = option("only jobs of the original project's layout", False)
    trials: int | None = option(
        "how many a cell of the original's layout should have (default: as many as the fullest has)",
        read=whole(1),
        metavar="N",
    )
    parallel: int = option("downloads at a time (8)", 8, read=whole(1, 64), metavar="N")
    output: Path | None = option("where the tables go", read=Path, metavar="DIR")


def _parse(options: ResultsOptions) -> int:
    if options.original and options.study:
        raise InputError("--original takes no study: the jobs of that layout belong to none")
    cloud = cloud_of(options)
    cloud.say_remarks()
    named = options.study or (None if options.original else cloud.only_study())
    good = True
    tables: dict[str, Any] = {}
    if named:
        good, tables = _study(options, cloud, named)
    if not options.study:
        good = _original(options, cloud, tables, must=not named) and good
    report = options.results / options.study / "report" if options.study else options.results
    _write(tables, options.output or report)
    return 0 if good else 1


def _study(options: ResultsOptions, cloud: Cloud, name: str) -> tuple[bool, dict[str, Any]]:
    from frustration.cloud.collection import Collector
    from frustration.original import cloud_markdown
    from frustration.study.store import Store
    from frustration.terminal.bar import Bar
    from frustration.terminal.cloud_results import of_study

    place, store = cloud.place(name), Store(options.results / name)
    plan = cloud.plan(place)
    with Bar("packs") as bar:
        found = Collector(
            cloud=cloud, place=place, plan=plan, store=store, parallel=options.parallel, observe=bar.at
        ).run()
    print(*of_study(name, found, store.root), sep="\n")
    return found.complete, dict(cloud_markdown.of_study(store.root))


def _original(options: ResultsOptions, cloud: Cloud, tables: dict[str, Any], must: bool) -> bool:
    """Jobs of the original's layout; their cells join those of the records in `tables`."""
    from frustration.original import cloud_markdown
    from frustration.original.cloud_layout import OriginalCollector
    from frustration.terminal.bar import Bar
    from frustration.terminal.cloud_results import of_original

    folder = options.results / ORIGINAL / "original"
    with Bar("jobs") as bar:
        found = OriginalCollector(
            cloud=cloud,
            folder=folder,
            trials=options.trials,
            parallel=options.parallel,
            observe=bar.at,
        ).run()
    if not found.outcomes:
        if must:
            raise FrustrationError(
                f"{cloud.where} holds neither a study nor jobs named psa-ARCH-MODE-TIME; "
                f"check S3_BUCKET_NAME and S3_PREFIX"
            )
        return True
    print(*of_original(found, folder), sep="\n")
    cells = cloud_markdown.of_original(found.cells)
    tables[""] = cloud_markdown.joined(tables.get("", []), cells)
    return found.complete


def _write(tables: dict[str, Any], folder: Path) -> None:
    from frustration.files import make_folder, write_atomically
    from frustration.original import cloud_markdown

    for setting, cells in tables.items():
        for name, make in cloud_markdown.FORMS:
            content = make(cells)
            if content.strip():  # of no trial at all there is no table
                path = folder / setting / name
                make_folder(path.parent)
                write_atomically(path, content.encode())
                print(f"wrote {path}")


main = command(ResultsOptions, _parse)
