"""Text that somebody else wrote does nothing where it is shown."""

import csv
import io
import re
import sys
from pathlib import Path

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

import frustration
from frustration.commands.arguments import run
from frustration.sinks import console, csv_text, fenced_terminal, latex, markdown, one_line, printable, shown
from frustration.terminal.printing import say_all

HOSTILE = "name\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp\rx"
SPELT = "name\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\u202egnp\\rx"


def test_control_characters_are_spelt_out_and_the_ends_of_lines_are_not():
    assert printable(HOSTILE) == SPELT
    assert printable("a\tb\nc\r\n±→é") == "a\tb\nc\r\n±→é"
    assert one_line("a\n\n b\x1b") == "a b\\x1b"


def test_what_nobody_would_read_is_cut():
    assert len(one_line("x" * 10_000)) < 700
    assert len(shown("x" * 10_000)) < 200
    assert shown(16**5000) == "a value of type int that is too large to print"


def test_whatever_a_command_prints_goes_through_the_fence(capsys):
    def command(arguments):
        table = Table("cause")
        table.add_row(HOSTILE)
        print(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        say_all(HOSTILE, table, Text(HOSTILE, style="bold"))
        return 0

    assert run("train", command, []) == 0
    said = capsys.readouterr()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", said.out + said.err)
    assert said.out.count("\\x1b[2J") == 4
    assert sys.stdout is not None
    assert not hasattr(sys.stdout, "rich_proxied_file")


def test_rich_keeps_its_own_styles_and_the_text_in_them_has_none(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    with fenced_terminal():
        out = console(force_terminal=True, color_system="standard", width=80)
        with Live(Text(HOSTILE, style="red"), console=out, auto_refresh=False):
            out.print(Text(HOSTILE, style="bold"))
    drawn = screen.getvalue()
    assert "\x1b[31m" in drawn  # red, by Rich
    assert "\x1b[1m" in drawn
    assert "\x1b[2J" not in drawn
    assert "\x1b]0" not in drawn
    assert "\x07" not in drawn
    assert "\\x1b[2J" in drawn


def test_no_console_is_made_but_the_fenced_one():
    sources = Path(frustration.__file__).parent.rglob("*.py")
    makers = [path.name for path in sources if re.search(r"\bConsole\(\w", path.read_text())]
    assert [name for name in makers if name != "sinks.py"] == []


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1"])
def test_no_cell_is_computed_by_a_spreadsheet(cell):
    ((read,),) = csv.reader(io.StringIO(csv_text([[cell]])))
    assert read == "'" + cell


def test_numbers_are_still_numbers_in_csv():
    assert csv_text([[-1, "-0.5", "+1e-3", "-inf", "[1*4]", None]]) == "-1,-0.5,+1e-3,-inf,[1*4],\n"


def test_latex_sets_text_as_it_is():
    assert latex("\\input{/etc/passwd}") == r"\textbackslash{}input\{/etc/passwd\}"
    assert latex("100% of $x_1 & ^^M") == r"100\% of \$x\_1 \& \textasciicircum{}\textasciicircum{}M"
    assert latex("a\x00b\x1b") == "a?b?"


def test_markdown_makes_no_link_image_tag_or_column():
    assert markdown("![x](http://a)") == r"\![x]\(http://a)"
    assert markdown("<script>|*x*\n") == r"&lt;script>\|\*x\*"
    assert markdown("`hidden` beats [4*8]") == r"`hidden` beats [4\*8]"
