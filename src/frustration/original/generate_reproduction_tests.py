"""generate-reproduction-tests: the commands of `train` that repeat the published grid, or any other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from frustration.commands.arguments import Parser, run, whole

NAME = "generate-reproduction-tests"
SCRIPT = "run_reproduction.sh"


def main(argv: Sequence[str] | None = None) -> int:
    return run(NAME, _generate, argv)


def _parser() -> Parser:
    parser = Parser(
        NAME,
        "Print the commands of a grid, grouped by architecture, and write a script that runs them all.",
    )
    parser.add_argument(
        "--study", type=Path, metavar="FILE", help="another grid (default: the published one)"
    )
    parser.add_argument("--trials", type=whole(1), metavar="N", help="trials per cell (default: the study's)")
    parser.add_argument(
        "--meta-loops", type=whole(1), metavar="N", help="loops per trial (default: the study's)"
    )
    parser.add_argument(
        "--model-dir",
        default="models/reproduction",
        metavar="PATH",
        help="where the commands keep their checkpoints (default: models/reproduction)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reproduction"),
        metavar="PATH",
        help=f"where {SCRIPT} is written (default: reproduction/)",
    )
    parser.add_argument("--debug", action="store_true", help="errors with a traceback")
    return parser


def _generate(arguments: list[str]) -> int:
    options: argparse.Namespace = _parser().read(arguments)
    from dataclasses import replace

    from frustration.files import make_folder, write_atomically
    from frustration.original.reproduction import listing, paper_study, script
    from frustration.study.definition import Study

    study = Study.from_file(options.study) if options.study else paper_study()
    study = replace(
        study, trials=options.trials or study.trials, meta_loops=options.meta_loops or study.meta_loops
    )
    study.check()
    print(listing(study, options.model_dir), end="")
    path = options.output / SCRIPT
    make_folder(path.parent)
    write_atomically(path, script(study, options.model_dir).encode())
    path.chmod(0o755)
    print(f"\n# {study.size:,} trials in all. Run them with {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
