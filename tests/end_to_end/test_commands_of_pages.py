"""Every command line of every page is one that the commands accept: its name, its verb, its flags.

Pages whose commands are run as they stand have tests of their own; others train for hours, or need a cloud.
"""

import importlib
import re
import shlex
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
