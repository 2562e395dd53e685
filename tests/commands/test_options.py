"""An option is declared once: its flag, its help, its reader and its place in --help come from one line."""

import pytest

from frustration.commands.arguments import run, whole
from frustration.commands.options import InResults, Options, argument, option
from frustration.errors import InputError


class Loops(Options):
    heading = "how long"

    loops: int = option("loops to add (default: 3)", 3, read=whole(1), either="length", metavar="N")
    until: int | None = option("loops in all", read=whole(1), either="length", metavar="N")


class Bake(Loops, InResults):
    """Bake a network.

    Twice, if it must be."""

    command = "bake"

    recipe: str = argument("what is baked", metavar="FILE")
    spices: tuple[str, ...] = option("what goes in", (), flag="--with", metavar="SPICE")
    dry_run: bool = option("only look", False)


def test_a_line_becomes_a_typed_object():
    given = Bake.read(["bread.toml", "--with", "salt", "dill", "--until", "9", "--dry-run"])
    assert given == Bake(recipe="bread.toml", spices=("salt", "dill"), until=9, dry_run=True)
    assert (given.loops, given.debug, str(given.results)) == (3, False, "results")
    with pytest.raises(AttributeError, match="cannot assign"):
        given.loops = 4


def test_help_has_own_options_first_then_the_inherited_ones_below_their_headings(capsys):
    assert run("bake", lambda arguments: Bake.read(arguments) and 0, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: bake FILE [flags]\n\nBake a network. Twice, if it must be.\n")
    order = [
        "what is baked",
        "--with",
        "--dry-run",
        "--results",
        "--debug",
        "how long:",
        "--loops",
        "--until",
    ]
    places = [shown.index(word) for word in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "line, said",
    [
        ([], "the following arguments are required FILE"),
        (["a", "--loops", "0"], "--loops 0 is not a whole number"),
        (["a", "--loops", "2", "--until", "4"], "--until cannot go together with --loops"),
        (["a", "--untill", "4"], "did you mean --until?"),
        (["a", "--spices", "salt"], "there is no flag --spices"),
        (["a", "--with"], "--with needs a value: what goes in"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(line, said):
    with pytest.raises(InputError) as refused:
        Bake.read(line)
    assert said in str(refused.value)
