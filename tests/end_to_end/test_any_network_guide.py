"""The guide to any network works as it stands there: its files, its commands and its Python, in order."""

import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

GUIDE = (Path(__file__).parents[2] / "docs" / "any-network.md").read_text()


def run(line: str) -> None:
    name, *arguments = shlex.split(line.removeprefix("frustration "))
    flags = [] if name == "report" or arguments[:1] == ["show"] else ["--threads", "1"]
    module = importlib.import_module(f"frustration.commands.{name}")
    assert module.main([*arguments, *flags]) == 0, line


def test_every_block_of_the_guide_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace: dict[str, object] = {}
    blocks = re.findall(r"```(python|bash|toml)\n(.*?)```", GUIDE, flags=re.DOTALL)
    assert {language for language, _ in blocks} == {"python", "bash", "toml"}
    for language, text in blocks:
        if language == "toml":
            name = tomllib.loads(text)["name"]
            Path(f"{name}.toml").write_text(text)
        elif language == "bash":
            for line in text.splitlines():
                run(line)
        elif "class Rings" in text:
            Path("rings.py").write_text(text)
            exec("from rings import *", namespace)  # as whoever has saved the file would
            exec("import frustration, torch; from torch import nn", namespace)
        else:
            exec(text, namespace)
    sys.modules.pop("rings", None)
    assert Path("results/rings/report/report.html").exists()
    assert "dict_keys(['0', '2']) dict_keys(['4'])" in capsys.readouterr().out
