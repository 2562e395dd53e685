"""The forest plot of the first screen shows the verdicts, and nothing that they do not say."""

import re

import numpy as np
import pytest
from matplotlib.markers import MarkerStyle
from report_kit import ONE, TWO, analysed, effects, study
from synthetic import write_study

from frustration.report.analysis import analyse
from frustration.report.figures.markers import POLYGONS, path_of
from frustration.report.figures.mode_style import KNOWN
from frustration.report.html.forest import MOST, forest
from frustration.report.html.page import render
from frustration.report.html.payload import Names
from frustration.report.reading import read_study
from frustration.report.report import Report


def drawn(root, grid, reached):
    results = read_study(write_study(root, grid, reached).root)
    return forest(analyse(results), Names(results))


def marks(plot):
    """(state, place in percent) of every mark."""
    found = re.findall(r'<use class="(\w+)" x="([\d.]+)%"', plot)
    return [(state, float(place)) for state, place in found]


def test_the_page_has_the_markers_and_dashes_of_the_figures():
    for name, polygon in POLYGONS.items():
        style = MarkerStyle(name)
        corners = 2.0 * style.get_path().transformed(style.get_transform()).vertices * (1.0, -1.0)
        ours = np.asarray(polygon)
        if name == "o":
            assert np.hypot(*ours.T) == pytest.approx(np.ones(len(ours)))
            continue
        for corner in corners[:-1]:
            assert np.hypot(*(ours - corner).T).min() < 0.01, name
        for corner in ours:
            assert np.hypot(*(corners - corner).T).min() < 0.01, name


def test_each_treatment_has_a_mark_of_its_own_in_the_plot(tmp_path):
    plot = drawn(tmp_path / "s", study("none", "hidden", "dropout"), effects(hidden=-2.0))
    paths = dict(re.findall(r'<path id="(mark\d+-5)" d="([^"]+)"/>', plot))
    used = set(re.findall(r'<use class="\w+" x="[\d.]+%" y="9" href="#([^"]+)"/>', plot))
    assert {paths[name] for name in used} == {
        path_of(KNOWN[mode].marker, 5) for mode in ("hidden", "dropout")
    }


def test_found_open_and_inert_effects_look_different(tmp_path):
    plot = drawn(tmp_path / "s", study("none", "hidden", "dropout", "decay"), effects(hidden=-2.0))
    assert [state for state, _ in marks(plot)] == ["found", "open", "idle"]
    assert '<tr class="idle"><th scope="row">' in plot
    assert "inert" in plot
    (hidden, dropout, decay) = [place for _, place in marks(plot)]
    assert hidden < dropout
    assert decay == 50.0  # zero is the middle


def test_an_effect_of_24_points_and_one_of_a_twentieth_do_not_look_alike(tmp_path):
    grid = study("none", "dropout", architectures=(ONE, TWO))

    def reached(spec):
        return effects()(spec) - (24.0 if spec.architecture == TWO else 0.05) * (spec.label == "dropout")

    small, large = (place for _, place in marks(drawn(tmp_path / "s", grid, reached)))
    assert abs(small - 50.0) < 2.0
    assert large < 10.0


def test_every_treatment_names_its_control_and_many_architectures_share_a_row(tmp_path):
    shapes = [ONE.of_widths([width]) for width in range(20, 20 + MOST)]
    plot = drawn(
        tmp_path / "s", study("none", "hidden", "dropout", architectures=shapes), effects(hidden=-2.0)
    )
    assert f'<th scope="col">{MOST} architectures</th>' in plot
    assert 'class="head"' not in plot  # every treatment has one row, which names it
    assert f"0 above, {MOST} below; median" in plot
    assert len(marks(plot)) == 2 * MOST
    assert plot.count("against <code>none</code>") == 2


def test_of_several_settings_each_has_its_treatments_under_its_name(tmp_path):
    shapes = [ONE.of_widths([width]) for width in range(20, 20 + MOST)]
    grid = study("none", "hidden", "dropout", architectures=shapes, trials=2, train_fractions=(0.05, 1.0))
    plot = drawn(tmp_path / "s", grid, effects())
    words = re.findall(r'rowgroup">([^<]*)<|<b>(\w+)</b>', plot)
    one = [("", "hidden"), ("", "dropout")]
    heads = ("mnist, lr 0.0001", ""), ("mnist, lr 0.0001, 5 % of training images", "")
    assert words == [heads[0], *one, heads[1], *one]


def test_the_first_screen_is_three_sentences_then_the_plot_then_cost(tmp_path):
    results = read_study(write_study(tmp_path / "s", study("none", "hidden"), effects(hidden=-2.0)).root)
    page = render(Report(results, analyse(results)), [], tmp_path / "report.html")
    order = ['<div class="short">', '<table class="forest', '<div class="costs">', 'id="filters"']
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    short = page[places[0] : places[1]]
    assert 1 <= short.count("<li>") <= 3
    assert "<details" not in page  # nothing that matters is behind a fold


def test_a_study_with_nothing_to_compare_has_no_plot(tmp_path):
    analysis = analysed(tmp_path / "s", study("none", trials=2))
    assert forest(analysis, names=None) == ""
