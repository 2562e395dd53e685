"""sagemaker-logs-parser: learning curves from logs, for jobs that died before their archive."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from frustration.commands.options import InResults, argument, command, option
from frustration.errors import InputError

MORE = """\
Reads what sagemaker-get-training-logs has fetched; AWS is not asked. Completed jobs have sent
records, which contain more: sagemaker-results-parser downloads those, and finished trials of dead jobs too.
Logs add the progress of unfinished trials. Such a curve is for inspection only: it never enters a study.

Each loop of each trial counts once, also where a job that was started again repeats it.

examples:
  sagemaker-logs-parser paper-98                   results/paper-98/logs/curves.csv and a table
  sagemaker-logs-parser --logs logs --unfinished   only trials that have no end"""


class CurvesOptions(InResults):
    """Extract learning curves from the logs of jobs."""

    command = "sagemaker-logs-parser"
    epilog = MORE

    study: str | None = argument("logs in results/STUDY/logs", None, metavar="STUDY")
    logs: Path | None = option("logs somewhere else", read=Path, metavar="DIR")
    unfinished: bool = option("only trials without an end", False)
    output: Path | None = option("default: curves.csv beside the logs", read=Path, metavar="FILE")
    json: bool = option("print the table as JSON", False)


def _parse(options: CurvesOptions) -> int:
    from frustration.files import write_atomically
    from frustration.runners.logged_curves import read, to_csv
    from frustration.terminal.cloud_results import curves

    folder = _folder(options)
    jobs = sorted(path for path in folder.iterdir() if path.is_dir())
    if not jobs:
        raise InputError(f"{folder} holds no logs; sagemaker-get-training-logs fetches them")
    found = read(jobs)
    trials = found.in_order(options.unfinished)
    output = options.output or folder / "curves.csv"
    write_atomically(output, to_csv(trials).encode())
    table = [trial.to_dict() for trial in trials]
    if options.json:
        print(json.dumps(table, indent=1))
    else:
        print(*curves(table, len(jobs)), sep="\n")
    print(f"wrote {output}", file=sys.stderr)
    if found.damaged:
        print(f"{found.damaged:,} lines begin like results and cannot be read", file=sys.stderr)
    for trial in trials:
        if trial.disagreeing:
            loops = ", ".join(map(str, sorted(trial.disagreeing)[:5]))
            print(f"{trial.job}: trial {trial.id}: its starts tell loop {loops} differently", file=sys.stderr)
    return 0


def _folder(options: CurvesOptions) -> Path:
    if bool(options.study) == bool(options.logs):
        raise InputError("give a study, or a folder of logs with --logs")
    folder = options.logs or options.results / (options.study or "") / "logs"
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; sagemaker-get-training-logs makes it")
    return folder


main = command(CurvesOptions, _parse)
