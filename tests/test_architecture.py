"""Architectures: every way of writing one, what is refused and why, and how many parameters it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration import Architecture, InputError, SimpleMLP, equal_parameter_square, equal_parameter_width
from frustration.architecture import MAX_DEPTH, MAX_WIDTH

WIDTHS = st.lists(st.integers(1, 9_000), max_size=12)
SEGMENTS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5_000)), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "text, hidden",
    [
        ("[4*4, 2*8]", (4, 4, 4, 4, 8, 8)),
        ("[4*4,2*8]", (4, 4, 4, 4, 8, 8)),
        ("4*4, 2*8", (4, 4, 4, 4, 8, 8)),
        ("4x4,2x8", (4, 4, 4, 4, 8, 8)),
        ("4X4,2X8", (4, 4, 4, 4, 8, 8)),
        ("  [ 4 * 4 , 2 * 8 ]  ", (4, 4, 4, 4, 8, 8)),
        ("4*4", (4, 4, 4, 4)),
        ("[1*32]", (32,)),
        ("[01*032]", (32,)),
        ("[]", ()),
        ("[ ]", ()),
        ("linear", ()),
        (f"1*{MAX_WIDTH}", (MAX_WIDTH,)),
        (f"{MAX_DEPTH}*1", (1,) * MAX_DEPTH),
    ],
)
def test_every_spelling_is_read(text, hidden):
    assert Architecture.parse(text).hidden == hidden


def test_widths_in_a_row_mean_one_layer_each():
    assert Architecture.of_widths([1024, 512]) == Architecture.parse("[1*1024, 1*512]")
    assert Architecture.of_widths([]) == Architecture.parse("[]")


@given(WIDTHS)
def test_what_is_written_is_read_back(widths):
    architecture = Architecture(tuple(widths))
    assert Architecture.parse(str(architecture)) == architecture
    assert Architecture.parse(architecture.safe) == architecture


@given(SEGMENTS)
def test_one_architecture_has_one_name(segments):
    text = ", ".join(f"{depth}*{width}" for depth, width in segments)
    one = Architecture.parse(f"[{text}]")
    other = Architecture.of_widths([width for depth, width in segments for _ in range(depth)])
    assert (str(one), one.safe) == (str(other), other.safe)


@given(WIDTHS)
def test_the_safe_form_is_safe_in_shells_and_file_names(widths):
    assert set(Architecture(tuple(widths)).safe) <= set("0123456789x,linear")


def test_the_names_of_some_architectures():
    architecture = Architecture.parse("4x4,2x8")
    assert (str(architecture), architecture.safe) == ("[4*4, 2*8]", "4x4,2x8")
    assert (str(Architecture(())), Architecture(()).safe) == ("[]", "linear")


@pytest.mark.parametrize(
    "text, at_fault",
    [
        ("[4*]", 'segment 1, "4*",'),
        ("[*4]", 'segment 1, "*4",'),
        ("[0*4]", 'segment 1, "0*4", asks for 0 layers'),
        ("[4*0]", 'segment 1, "4*0", asks for 0 units'),
        ("[4**4]", 'segment 1, "4**4",'),
        ("[4*4*4]", 'segment 1, "4*4*4",'),
        ("[1*99999999]", 'segment 1, "1*99999999", asks for 99999999 units'),
        (f"[1*{MAX_WIDTH + 1}]", f"asks for {MAX_WIDTH + 1} units"),
        (f"[{MAX_DEPTH + 1}*1]", f"asks for {MAX_DEPTH + 1} layers"),
        (f"[{MAX_DEPTH}*1, 1*1]", 'segment 2, "1*1", makes more than'),
        ("[4*4, 2*]", 'segment 2, "2*",'),
        ("[4*4,, 2*8]", 'segment 2, "", is empty'),
        ("[4*4,]", 'segment 2, "", is empty'),
        ("[4*4, 2*8, 3]", 'segment 3, "3",'),
        ("[-4*4]", 'segment 1, "-4*4",'),
        ("[4.0*4]", 'segment 1, "4.0*4",'),
        ("[1e3*4]", 'segment 1, "1e3*4",'),
        ("[4*4 2*8]", 'segment 1, "4*4 2*8",'),
        ("[٤*٤]", 'segment 1, "٤*٤",'),
        ("[²*4]", 'segment 1, "²*4",'),
        ("[4×4]", 'segment 1, "4×4",'),
        ("[[4*4]]", 'segment 1, "[4*4]",'),
        ("[4*4", "a bracket is missing"),
        ("4*4]", "a bracket is missing"),
        ("[", "a bracket is missing"),
        ("", "the architecture is empty"),
        ("   ", "the architecture is empty"),
        ("[1*" + "9" * 5_000 + "]", "asks for 999999999999 units"),
        ("[" + "9" * 5_000 + "*1]", "asks for 999999999999 layers"),
        ("x" * 5_000, "segment 1"),
    ],
)
def test_bad_strings_get_one_sentence_that_points_at_the_segment(text, at_fault):
    with pytest.raises(InputError) as refusal:
        Architecture.parse(text)
    sentence = str(refusal.value)
    assert at_fault in sentence
    assert "\n" not in sentence
    assert len(sentence) < 300


@given(st.text(alphabet="0123456789*xX,[] -+.e²٤\n\0linear", max_size=20) | st.text(max_size=20))
def test_any_text_is_an_architecture_or_refused_in_one_sentence(text):
    try:
        architecture = Architecture.parse(text)
    except InputError as refusal:
        assert str(refusal)  # noqa: PT017  # either outcome is fine, another exception is not
    else:
        assert Architecture.parse(str(architecture)) == architecture


@pytest.mark.parametrize(
    "text, parameters",
    [
        ("1*2048", 1_628_170),
        ("1*64", 50_890),
        ("2*115", 104_775),
        ("4*47", 44_143),
        ("115*115", 1_612_195),
        ("18*18", 20_134),
        ("2*1", 807),
        ("[]", 7_850),
    ],
)
def test_parameter_counts_are_the_published_ones(text, parameters):
    assert Architecture.parse(text).parameters() == parameters


@pytest.mark.parametrize("text", ["[]", "[1*7]", "[3*2, 1*9]", "[8*8]"])
def test_parameters_are_those_of_the_pytorch_module(text):
    module = SimpleMLP(text, features=20, classes=3)
    assert Architecture.parse(text).parameters(20, 3) == sum(p.numel() for p in module.parameters())


def test_flops_are_two_for_each_weight_and_one_for_each_bias():
    assert Architecture.parse("[1*3]").flops(features=5, classes=2) == 2 * (5 * 3 + 3 * 2) + 3 + 2


@pytest.mark.parametrize("like, width", [("1*2048", 939), ("1*1024", 588), ("1*512", 354), ("1*64", 59)])
def test_equal_parameter_widths_of_two_layers_are_the_published_ones(like, width):
    assert equal_parameter_width(2, Architecture.parse(like).parameters()) == width


@pytest.mark.parametrize("like, width", [("1*2048", 115), ("1*1024", 91), ("1*512", 71)])
def test_equal_parameter_squares_are_the_published_ones(like, width):
    assert equal_parameter_square(Architecture.parse(like).parameters()) == width


@given(st.integers(1, 200), st.integers(1, 3_000))
def test_the_equal_parameter_width_of_an_architecture_is_its_own(depth, width):
    assert equal_parameter_width(depth, Architecture((width,) * depth).parameters()) == width


@given(st.integers(1, 500), st.integers(1, 3_000), st.integers(2, 100))
def test_the_equal_parameter_square_of_a_square_is_itself(width, features, classes):
    parameters = Architecture((width,) * width).parameters(features, classes)
    assert equal_parameter_square(parameters, features, classes) == width


@pytest.mark.parametrize("depth, parameters", [(0, 1_000), (-1, 1_000), (1, 10), (3, 0)])
def test_an_impossible_equal_parameter_width_is_refused(depth, parameters):
    with pytest.raises(InputError, match="no network of"):
        equal_parameter_width(depth, parameters)


def test_an_impossible_equal_parameter_square_is_refused():
    with pytest.raises(InputError, match="no square network"):
        equal_parameter_square(10)


def test_a_network_of_too_many_parameters_is_refused_with_their_number():
    with pytest.raises(InputError, match="has 17,232,232,458 parameters; 1,000,000,000 are possible"):
        Architecture.parse("[1*65536, 4*65536]")
    assert Architecture.parse(f"[1*{MAX_WIDTH}]").hidden == (MAX_WIDTH,)
