"""The language of modes: what it says, what it refuses, and modes that other packages bring."""

from importlib.metadata import EntryPoint

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration import Architecture, InputError, TrialSpec
from frustration.modes import Mode, ModeError, Program, mode_named, mode_names, registry
from frustration.modes.grammar import ModeChoice

COMPONENTS = st.lists(
    st.sampled_from(["hidden", "hidden:dose=3", "output:dose=0.5", "dropout:p=0.25", "decay", "full"]),
    min_size=1,
    max_size=3,
    unique_by=lambda text: text.partition(":")[0],
).map("+".join)


@st.composite
def programs(draw) -> str:
    """Schedules without gaps, the last range open or not."""
    parts, first = [], 1
    for _ in range(draw(st.integers(0, 3))):
        last = first + draw(st.integers(0, 20))
        parts.append(f"{draw(COMPONENTS)}@{first}-{last}")
        first = last + 1
    end = draw(st.sampled_from(["", str(first + 5)]))
    return ",".join([*parts, f"{draw(COMPONENTS)}@{first}-{end}"])


def names_at(text: str, *loops: int) -> list[str]:
    program = Program.parse(text)
    return [program.at(loop).names for loop in loops]


def test_modes_compose_in_the_order_written():
    program = Program.parse("hidden+dropout")
    assert [mode.name for mode in program.at(7).components] == ["hidden", "dropout"]


def test_schedules_count_global_loops_and_include_both_ends():
    text = "dropout@1-50,hidden@51-100"
    assert names_at(text, 1, 50, 51, 100) == ["dropout", "dropout", "hidden", "hidden"]
    with pytest.raises(ModeError, match="says nothing about loop 101"):
        Program.parse(text).at(101)


def test_the_last_range_may_be_open():
    assert names_at("none@1-1,output@2-", 1, 2, 10**6) == ["none", "output", "output"]


def test_a_spec_whose_schedule_ends_too_early_is_refused():
    with pytest.raises(InputError, match="loop 100; leave the last range open"):
        TrialSpec.of("[1*4]", "hidden@1-50", meta_loops=100).check(classes=10)
    TrialSpec.of("[1*4]", "hidden@1-50", meta_loops=50).check(classes=10)


@given(programs())
def test_a_program_is_read_back_from_what_it_says_of_itself(text):
    program = Program.parse(text)
    assert Program.parse(program.label) == program
    assert Program.of_knobs(str(program), program.knobs) == program


@given(programs())
def test_every_loop_of_a_schedule_has_one_segment(text):
    program = Program.parse(text)
    last = program.segments[-1].last or program.segments[-1].first + 50
    for loop in range(1, last + 1):
        segment = program.at(loop)
        assert segment.first <= loop
        assert segment.last is None or loop <= segment.last


def test_knobs_are_read_by_their_kind():
    hidden, dropout, decay = (
        Program.parse("hidden:dose=3+dropout:p=.25+decay:weight_decay=1e-2").at(1).components
    )
    assert (hidden.dose, dropout.p, decay.weight_decay) == (3, 0.25, 0.01)
    assert isinstance(hidden.dose, int)
    assert isinstance(mode_named("hidden").with_knobs({"dose": "1.0"}).dose, float)


def test_defaults_fill_in_the_knobs_that_a_mode_does_not_name():
    defaults = {"dropout": {"p": 0.3}, "hidden": {"dose": 2}}
    dropout, hidden = Program.parse("dropout+hidden:dose=5", defaults).at(1).components
    assert (dropout.p, hidden.dose) == (0.3, 5)


@pytest.mark.parametrize(
    "text, optimizer, acceptance",
    [
        ("hidden", None, None),
        ("hidden/persist", "persist", None),
        ("hidden/persist-masked", "persist-masked", None),
        ("hidden/fresh/ties", "fresh", "ties"),
        ("hidden/patience-3", None, "patience(3)"),
        ("hidden/patience(3)/persist", "persist", "patience(3)"),
        ("dropout@1-5,hidden@6-/persist", "persist", None),
    ],
)
def test_policies_follow_a_slash(text, optimizer, acceptance):
    choice = ModeChoice.parse(text)
    assert choice.optimizer == optimizer
    assert (str(choice.acceptance) if choice.acceptance else None) == acceptance


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("dropout@1-50,hidden@52-", 'a gap before "hidden@52-": loop 51 is due'),
        ("dropout@2-50", 'a gap before "dropout@2-50": loop 1 is due'),
        ("dropout@1-50,hidden@50-", 'an overlap before "hidden@50-": loop 51 is due'),
        ("dropout@5-4", '"dropout@5-4" ends before it begins'),
        ("dropout@1-5,hidden@6-4", '"hidden@6-4" ends before it begins'),
        ("dropout@1-,hidden@51-", 'only the last range may be left open, not "dropout"'),
        ("dropout@1-5,hidden@6-,none@7-", 'only the last range may be left open, not "hidden@6-"'),
        ("dropout,hidden", "only the last range may be left open"),
        ("dropout@0-5", 'wants loops as "@1-50"'),
        ("dropout@5", 'wants loops as "@1-50"'),
        ("dropout@", 'wants loops as "@1-50"'),
        ("dropout@a-b", 'wants loops as "@1-50"'),
        ("dropout@1-٥", 'wants loops as "@1-50"'),
        ("hiden", 'there is no mode "hiden" (did you mean hidden?)'),
        ("Dropout", 'there is no mode "Dropout" (did you mean dropout?)'),
        ("quantum", 'there is no mode "quantum"; modes are none, decay,'),
        ("hidden:doze=3", 'has no knob "doze"; it has dose, selector'),
        ("none:dose=3", 'has no knob "dose"; it has no knobs'),
        ("hidden:dose", '"dose" is not knob=value'),
        ("hidden:dose=", '"dose=" is not knob=value'),
        ("hidden:dose=-1", "dose=-1"),
        ("hidden:dose=1.5", "dose=1.5: a dose is a number of units (3) or a share of them (0.1)"),
        ("hidden:dose=nan", "dose=nan"),
        ("hidden:dose=two", "dose=two"),
        ("hidden:selector=best", "selectors are uniform, layer-then-unit, lowest-utility, highest-utility"),
        ("dropout:p=1", "p=1: must be in [0, 1)"),
        ("dropout:p=nan", "p=nan"),
        ("decay:weight_decay=-1", "weight_decay=-1: must be a finite number, 0 or more"),
        ("decay:weight_decay=inf", "weight_decay=inf"),
        ("hidden+hidden", "names one mode twice; use its dose"),
        ("none+hidden", '"none" adds nothing to other modes'),
        ("hidden+", "a mode is missing"),
        ("", "a mode is missing"),
        (",hidden", "a mode is missing"),
        ("hidden/slow", 'after "/" comes an optimizer (fresh, persist, persist-masked), an acceptance'),
        ("hidden/patience-0", 'not "patience-0"'),
        ("hidden/", 'not ""'),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence_that_names_it(text, sentence):
    with pytest.raises(InputError) as refusal:
        TrialSpec.of("[1*4]", text)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.text(alphabet="hidenoputl+,@:/=-0123456789.() ", max_size=25) | st.text(max_size=12))
def test_any_text_is_a_mode_or_refused_in_one_sentence(text):
    try:
        TrialSpec.of("[1*4]", text)
    except InputError as refusal:
        assert str(refusal)  # noqa: PT017  # either outcome is fine, another exception is not


class Mine(Mode):
    """A mode that a user's package brings."""

    name = "mine"


NOT_A_MODE = "hidden"


@pytest.fixture
def installed(monkeypatch):
    """Call it with the values of entry points: packages that bring them are installed from then on."""

    def install(*values: str) -> None:
        brought = [EntryPoint(value, value, registry.ENTRY_POINTS) for value in values]
        monkeypatch.setattr(
            registry, "entry_points", lambda group: brought * (group == registry.ENTRY_POINTS)
        )
        registry._modes.cache_clear()

    yield install
    monkeypatch.undo()
    registry._modes.cache_clear()


def test_a_mode_of_another_package_is_known_by_its_name(installed):
    installed(f"{__name__}:Mine")
    assert mode_named("mine") is Mine
    assert TrialSpec.of("[1*4]", "mine+hidden").label == "mine+hidden"


def test_a_new_mode_changes_no_id(installed):
    specs = [lambda mode=mode: TrialSpec.of("[1*4]", mode) for mode in mode_names()]
    before = [spec().id for spec in specs]
    installed(f"{__name__}:Mine")
    assert [spec().id for spec in specs] == before


def test_a_mode_that_takes_a_name_already_taken_is_refused(installed):
    installed(f"{__name__}:Mine", f"{__name__}:Mine")
    with pytest.raises(ModeError, match='second mode named "mine"'):
        mode_named("mine")
    assert "mine" not in mode_names()


def test_an_entry_point_that_is_no_mode_is_refused(installed):
    installed(f"{__name__}:NOT_A_MODE")
    with pytest.raises(ModeError, match="is not a subclass of Mode"):
        mode_named(f"{__name__}:NOT_A_MODE")


def test_an_entry_point_that_cannot_be_imported_spoils_nothing_but_itself(installed):
    installed("no_such_package.modes:Gone", f"{__name__}:Mine")
    assert "mine" in mode_names()
    with pytest.raises(ModeError, match="cannot be imported: No module named 'no_such_package'"):
        mode_named("no_such_package.modes:Gone")


def test_a_mode_without_anything_to_act_on_is_refused_in_one_sentence():
    for mode in ("hidden", "dropout", "noise", "none@1-5,hidden@6-"):
        with pytest.raises(ModeError, match="has nothing to act on: the architecture has no hidden layer"):
            TrialSpec(architecture=Architecture(()), program=Program.parse(mode), trial=0).check(classes=10)
