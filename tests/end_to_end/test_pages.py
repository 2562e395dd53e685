"""Pages of the documentation work as they stand there: their files, commands and Python, in order."""

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from frustration.commands import COMMANDS

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("python.md", "slurm.md", "any-runs.md")
BLOCK = re.compile(r"```(python|bash|csv|toml)\n(.*?)```", flags=re.DOTALL)


def run(line: str) -> None:
    """A command line of a page, with one worker."""
    name, *arguments = shlex.split(line.removeprefix("frustration "), comments=True)
    flags = ["--threads", "1"] if name == "train" or arguments[:1] == ["run"] else []
    module, function, _ = COMMANDS[name]
    assert getattr(importlib.import_module(f"frustration.{module}"), function)([*arguments, *flags]) == 0, (
        line
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = BLOCK.findall((DOCS / page).read_text())
    assert blocks
    for language, text in blocks:
        if language == "python":
            exec(text, namespace)
        elif language == "toml":
            Path(f"{tomllib.loads(text)['name']}.toml").write_text(text)
        elif language == "csv":
            Path(text.partition("\n")[0].removeprefix("# ").strip()).write_text(text.partition("\n")[2])
        else:
            for line in filter(str.strip, text.replace("\\\n", " ").splitlines()):
                run(line)
