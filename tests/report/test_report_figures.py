"""Figures: all that a study supports, the same bytes each time, and no label on top of another."""

import dataclasses
import hashlib
import json
import re

import matplotlib as mpl
import numpy as np
import pytest
from figure_kit import SHAPES, diverge, drawn, grow, probe, read_and_analyse, reported, six_modes
from matplotlib.text import Text
from PIL import Image
from report_kit import effects, study
from synthetic import write_study

from frustration.architecture import Architecture
from frustration.report.figures import draw_all, style
from frustration.report.figures.dendrites import switches
from frustration.report.figures.drawing import PAINTERS
from frustration.report.figures.families import families, short
from frustration.report.figures.inputs import FigureInput
from frustration.report.figures.labels import label_points
from frustration.report.figures.mode_style import KNOWN, looks_of
from frustration.report.figures.pareto import undominated
from frustration.report.html import write
from frustration.report.report import Report
from frustration.study.architecture_sets import SETS

pytestmark = pytest.mark.slow

PAPER = SETS["paper-98"]


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """All figures of nine architectures under the six published modes."""
    return drawn(tmp_path_factory.mktemp("six"), six_modes())


def test_every_figure_is_drawn_once_as_png_and_svg_or_left_out_with_a_reason(six):
    assert len(six) == len(PAINTERS)
    for figure in six.values():
        assert figure.title
        if figure.left_out:
            assert not figure.files
        else:
            assert [file.suffix for file in figure.files] == [".png", ".svg"]
            assert figure.caption.endswith(".")
            for file in figure.files:
                assert file.stat().st_size > 2_000
    left_out = {name for name, figure in six.items() if figure.left_out}
    assert left_out == {"fault-tolerance", "dendrites", "effects"}  # 45 effects are too many for one picture


def test_no_figure_is_wider_than_a_page_and_none_is_blank(six):
    for figure in six.values():
        if figure.files:
            with Image.open(figure.files[0]) as picture:
                assert picture.width <= style.PAGE * style.DPI + 1
                assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_the_same_study_gives_the_same_bytes_whatever_the_users_matplotlib_says(tmp_path):
    grid = six_modes(trials=3, meta_loops=6, architectures=SHAPES[:2])
    results, analysis = reported(tmp_path / "study", grid)
    first = draw_all(results, analysis, tmp_path / "a")
    with mpl.rc_context({"font.size": 20, "axes.grid": False, "svg.fonttype": "none"}):
        second = draw_all(results, analysis, tmp_path / "b")
        assert mpl.rcParams["font.size"] == 20
    for one, other in zip(first, second, strict=True):
        for file, again in zip(one.files, other.files, strict=True):
            digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (file, again)}
            assert len(digests) == 1, file.name
    svg = next(file for figure in first for file in figure.files if file.suffix == ".svg").read_text()
    assert "<dc:date>" not in svg


def test_a_study_of_one_architecture_and_one_mode_says_why_most_figures_are_missing(tmp_path):
    figures = drawn(tmp_path, study("none", trials=1, meta_loops=2))
    left_out = {name for name, figure in figures.items() if figure.left_out}
    assert {"ablation-effect", "winning-mode", "instability", "design-space", "pareto"} <= left_out
    assert {"baseline", "learning-curves"}.isdisjoint(left_out)
    assert figures["ablation-effect"].left_out == "no treatment has a control"


def test_the_winning_mode_is_named_only_where_it_is_distinguished_from_all_others(tmp_path):
    clear = write_study(tmp_path / "clear", study("none", "dropout", "hidden"), effects(dropout=2.0))
    even = write_study(tmp_path / "even", study("none", "dropout", "hidden"), effects())
    said = {}
    for name, store in (("clear", clear), ("even", even)):
        results, analysis = read_and_analyse(store)
        given = FigureInput(results=results, analysis=analysis, setting=results.settings[0])
        figures = {one.name: one for one in draw_all(results, analysis, tmp_path / "drawn" / name)}
        said[name] = figures["winning-mode"].caption
        (group,) = given.groups.values()
        assert group.winner.decided == (name == "clear")
    assert "(1 of 1 architectures" in said["clear"]
    assert "(0 of 1 architectures" in said["even"]


def test_dendrites_are_drawn_where_networks_grew(tmp_path):
    store = write_study(tmp_path / "study", study("none", "plain", meta_loops=20))
    grow(store)
    results, analysis = read_and_analyse(store)
    figures = {figure.name: figure for figure in draw_all(results, analysis, tmp_path / "figures")}
    assert not figures["dendrites"].left_out
    (cell,) = [cell for cell in results.cells if cell.grows]
    assert [switches(trial) for trial in cell.curves.dendrites] == [[8, 14]] * cell.n


def test_fault_tolerance_is_drawn_from_probes_and_bears_with_missing_and_foreign_ones(tmp_path):
    store = write_study(tmp_path / "study", study("none", "dropout", "hidden"))
    probe(store)
    first, second, *_ = sorted(store.root.glob("probes/*/*.json"))
    first.unlink()
    content = json.loads(second.read_text())
    content["measures"] = {"knockout": {"settings": {}, "accuracy": None}}
    second.write_text(json.dumps(content))
    results, analysis = read_and_analyse(store)
    figures = {figure.name: figure for figure in draw_all(results, analysis, tmp_path / "figures")}
    assert not figures["fault-tolerance"].left_out


def test_several_settings_get_a_figure_each_and_one_design_space(tmp_path):
    figures = drawn(
        tmp_path,
        study("none", "hidden", architectures=SHAPES[:3], learning_rates=(1e-4, 1e-3), trials=3),
    )
    assert {"pareto-mnist-lr-0.0001", "pareto-mnist-lr-0.001", "design-space"} <= set(figures)
    assert not any(name.startswith("design-space-") for name in figures)


def test_missing_numbers_leave_holes_and_no_errors(tmp_path):
    results, analysis = reported(tmp_path / "study", six_modes(trials=2, architectures=SHAPES[:3]))
    cells = tuple(dataclasses.replace(cell, curves=None) for cell in results.cells)
    bare = dataclasses.replace(results, cells=cells)
    figures = {figure.name: figure for figure in draw_all(bare, analysis, tmp_path / "figures")}
    for name in ("learning-curves", "late-breakthroughs", "acceptance", "harm-and-recovery"):
        assert figures[name].left_out
    assert not figures["ablation-effect"].left_out


@pytest.mark.filterwarnings("error")
def test_trials_that_diverged_cost_nothing_but_themselves(tmp_path):
    store = write_study(tmp_path / "study", study("none", "hidden", "full", meta_loops=10))
    diverge(store, "hidden")
    results, analysis = read_and_analyse(store)
    figures = {figure.name: figure for figure in draw_all(results, analysis, tmp_path / "figures")}
    assert not figures["ablation-effect"].left_out
    assert not figures["learning-curves"].left_out
    page = write(Report(results, analysis), list(figures.values()), tmp_path / "page.html").read_text()
    assert "NaN" not in page[page.index('id="payload"') :].split("</script>")[0]


def test_every_architecture_of_the_published_grid_has_one_place_on_a_map():
    found = families(PAPER)
    members = [architecture for family in found for architecture in family.members]
    assert sorted(members, key=str) == sorted(PAPER, key=str)
    assert [family.name.split(" (")[0] for family in found] == [
        "1 hidden layer", "2 hidden layers", "4 hidden layers", "squares",
        "4 units per layer", "2 units per layer", "1 unit per layer",
    ]  # fmt: skip
    for family in found:
        sizes = [architecture.parameters() for architecture in family.members]
        assert sizes == sorted(sizes, reverse=True)


def test_shapes_without_a_family_and_networks_of_mixed_widths_have_a_place_as_well():
    mixed = [Architecture.parse(one) for one in ("4*4, 2*8", "1*32", "8*8", "[]")]
    (family,) = families(mixed)
    assert set(family.members) == set(mixed)
    assert short(mixed[0]) == "4*4, 2*8"
    assert short(mixed[3]) == "linear"


def test_no_two_labels_overlap_and_none_covers_a_mark():
    generator = np.random.default_rng(3)
    x, y = generator.random(60), generator.random(60)
    with style.drawing():
        figure = style.sheet(4, 3)
        axes = figure.add_axes((0.1, 0.1, 0.85, 0.85))
        axes.scatter(x, y, s=9)
        placed = label_points(axes, x, y, [f"{i}*{i}" for i in range(60)], marker=3)
        figure.canvas.draw()
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without its line
        marks = axes.transData.transform(np.column_stack([x, y]))
    assert 20 < len(placed) == len(boxes)
    for i, box in enumerate(boxes):
        assert not any(box.shrunk(0.98, 0.98).overlaps(other.shrunk(0.98, 0.98)) for other in boxes[:i])
        inside = (marks > [box.x0, box.y0]).all(axis=1) & (marks < [box.x1, box.y1]).all(axis=1)
        assert not inside.any()


def test_the_line_of_the_undominated_agrees_with_looking_at_every_pair():
    points = [tuple(map(float, pair)) for pair in np.random.default_rng(5).integers(0, 12, (60, 2))]

    def beaten(one):
        return any(c <= one[0] and a >= one[1] and (c, a) != one for c, a in points)

    line = [points[i] for i in undominated(points)]
    assert line == sorted({point for point in points if not beaten(point)})


def test_modes_keep_their_looks_and_unknown_ones_get_what_is_left():
    given = looks_of(["hidden", "mine", "none", "hidden:dose=3"])
    assert given["hidden"] == KNOWN["hidden"]
    assert given["none"] == KNOWN["none"]
    assert len({look.colour for look in given.values()}) == 4
    assert given == looks_of(["hidden", "mine", "none", "hidden:dose=3"])
    assert len(looks_of([f"m{i}" for i in range(40)])) == 40


@pytest.mark.parametrize("look", [*KNOWN.values()], ids=[*KNOWN])
def test_colours_are_seen_on_light_and_on_dark(look):
    """3 to 1 on the dark page; 2 to 1 on white, where sky blue and orange lean on marker and dash."""

    def luminance(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert 1.05 / (luminance(look.colour) + 0.05) > 2.0
    assert (luminance(look.dark) + 0.05) / (luminance("#14171b") + 0.05) > 3.0


def test_svg_files_are_whole_and_carry_no_scripts(six):
    for figure in six.values():
        for file in figure.files:
            if file.suffix == ".svg":
                content = file.read_text()
                assert content.rstrip().endswith("</svg>")
                assert not re.search(r"<script|href=\"http", content)


def test_the_modes_of_the_quickstart_have_at_most_two_purples():
    from matplotlib.colors import rgb_to_hsv, to_rgb

    from frustration.report.figures.mode_style import looks_of
    from frustration.study.presets import preset

    looks = looks_of(preset("quickstart").modes)
    hues = {mode: rgb_to_hsv(to_rgb(look.colour)) for mode, look in looks.items()}
    purples = [mode for mode, (hue, saturation, _) in hues.items() if 0.75 < hue < 0.97 and saturation > 0.2]
    assert len(purples) <= 2, purples
