"""Every command line of every page is one that the commands accept: its name, its verb, its flags.

Then all are run, with less data, fewer trials and loops, but for those with a reason. Five pages have their
own tests.
"""

import importlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from frustration.commands import COMMANDS
from frustration.commands.arguments import parser_of

PROJECT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(PROJECT).as_posix()
    for path in (
        *PROJECT.glob("*.md"),
        *PROJECT.glob("docs/**/*.md"),
        *PROJECT.glob("studies/*.md"),
        *PROJECT.glob("examples/**/*.md"),
    )
)
FENCE = re.compile(r"```(?:bash|sh)\n(.*?)```", re.DOTALL)
ENDS = ("|", ">", "&&", ";")
UMBRELLA = ("frustration", "fe")
ONLY_WITHIN = ("study", "report", "probe", "perforate", "ablate", "doctor", "completion")
"""Commands that are not installed under a name of their own."""


def lines_of(text: str) -> Iterator[str]:
    """The command lines of blocks, fenced or indented."""
    for block in FENCE.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    fences = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from (line.strip() for line in fences.replace("\\\n", " ").splitlines() if line.startswith("    "))


def words_of(line: str) -> list[str]:
    """A command of ours, or nothing."""
    name = line.split()[:1]
    if not name or name[0] not in (*UMBRELLA, *COMMANDS):
        return []
    words = shlex.split(line, comments=True)
    return words[: min((words.index(end) for end in ENDS if end in words), default=len(words))]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_of_a_page_is_accepted(page):
    for line in lines_of((PROJECT / page).read_text()):
        words = words_of(line)
        if words[:1] and words[0] in UMBRELLA:
            words = words[1:]
        else:
            assert not words or words[0] not in ONLY_WITHIN, f"{line}: frustration is missing"
        if not words or words[0].startswith("-"):
            continue
        module, function, _ = COMMANDS[words[0]]
        command = getattr(importlib.import_module(f"frustration.{module}"), function)
        parser = parser_of(command, words[1:])
        verb = parser.prog.removeprefix("frustration ").split()
        _, unknown = parser.parse_known_args(words[len(verb) :])
        assert unknown == [], line


def test_the_pages_have_command_lines():
    found = [line for page in PAGES for line in lines_of((PROJECT / page).read_text()) if words_of(line)]
    assert len(found) > 40


OF_THEIR_OWN = ("README.md", *(f"docs/{name}.md" for name in ("any-network", "any-runs", "python", "slurm")))
"""Pages that other tests of this folder run as they stand."""
NOT_RUN = {
    "sagemaker-launch paper-98 --hours": "needs an AWS account; tests/cloud launches studies in a simulator",
    "sagemaker-launch paper-98  ": "the same",
    "sagemaker-launch paper-98 --wait": "the same",
    "frustration study run FILE --engine ray": "starts a cluster; tests/study/test_study_ray.py does",
    "frustration study preset summaries": "takes minutes; tests/problems/test_summaries.py runs a small one",
    "train --problem language:Adapter --set model=FOLDER": "needs a model of yours",
    "train --dataset fashion-mnist": "downloads a data set",
    "frustration study run verdict ": "trains 8,160 trials, half of them on a data set that is downloaded",
    "frustration report verdict ": "the same",
}
"""How a line begins -> why it is not run here."""
FEWER = {
    "train": ["--trials", "2", "--meta-loops", "2", "--threads", "1", "--fresh", "--train-fraction", "0.1"],
    "study run": ["--trials", "2", "--meta-loops", "2", "--threads", "1", "train_fraction=0.02"],
}
"""What is added to a command; the last value of a flag counts."""
STANDS_FOR = {"FILE": "studies/example.toml", "USD": "0.816"}
"""What a reader fills in."""
RUN = [page for page in PAGES if page not in OF_THEIR_OWN]


def reason(line: str) -> str:
    return next((why for begin, why in NOT_RUN.items() if f"{line} ".startswith(begin)), "")


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_every_command_of_a_page_runs(page, tmp_path, monkeypatch):
    shutil.copytree(PROJECT / "studies", tmp_path / "studies")
    shutil.copytree(PROJECT / "aws", tmp_path / "aws")
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("S3_BUCKET_NAME", raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")  # what a dry run needs, and all of it
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for line in lines_of((PROJECT / page).read_text()):
        words = words_of(line)
        if not words or reason(line):
            continue
        for name, value in STANDS_FOR.items():
            words = [re.sub(rf"\b{name}$", value, word) for word in words]
        name, *arguments = words[1:] if words[0] in UMBRELLA else words
        verb = f"{name} {arguments[0]}" if name == "study" else name
        arguments = ["--meta-loops" if word == "--until" else word for word in arguments]
        module, function, _ = COMMANDS[name]
        command = getattr(importlib.import_module(f"frustration.{module}"), function)
        assert command([*arguments, *FEWER.get(verb, [])]) == 0, line


def test_every_reason_is_about_a_line_of_a_page():
    lines = [line for page in RUN for line in lines_of((PROJECT / page).read_text()) if words_of(line)]
    for begin in NOT_RUN:
        assert any(f"{line} ".startswith(begin) for line in lines), begin
