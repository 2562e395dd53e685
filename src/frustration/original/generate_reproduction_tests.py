"""generate-reproduction-tests: the commands of `train` that repeat the published grid, or any other."""

from __future__ import annotations

from pathlib import Path

from frustration.commands.arguments import whole
from frustration.commands.options import Options, command, option

SCRIPT = "run_reproduction.sh"


class GridOptions(Options):
    """Print the commands of a grid, grouped by architecture, and write a script that runs them all."""

    command = "generate-reproduction-tests"

    study: Path | None = option("another grid (default: the published one)", read=Path, metavar="FILE")
    trials: int | None = option("trials per cell (default: the study's)", read=whole(1), metavar="N")
    meta_loops: int | None = option("loops per trial (default: the study's)", read=whole(1), metavar="N")
    model_dir: str = option(
        "where the commands keep their checkpoints (default: models/reproduction)",
        "models/reproduction",
        metavar="PATH",
    )
    output: Path = option(
        f"where {SCRIPT} is written (default: reproduction/)", Path("reproduction"), read=Path, metavar="PATH"
    )


def _generate(options: GridOptions) -> int:
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


main = command(GridOptions, _generate)
