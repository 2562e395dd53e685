"""The HTML page in a real browser: offline, sortable, filterable, by keyboard, on a phone, in the dark."""

import dataclasses
import itertools
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from figure_kit import SHAPES, probe, read_and_analyse, reported, six_modes
from report_kit import effects, study
from synthetic import write_study
from test_report_metrics import ERROR, scored, written

from frustration.report.analysis import analyse
from frustration.report.figures import draw_all
from frustration.report.formatting import p_value, with_interval
from frustration.report.html import write
from frustration.report.html.images import BUDGET
from frustration.report.html.page import SCRIPTS
from frustration.report.html.templates import asset, data, marked
from frustration.report.reading import read_study
from frustration.report.report import Report
from frustration.report.results import Failure, Skipped

pytestmark = pytest.mark.slow

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NASTY = '</script><img src="http://elsewhere.invalid/x.png" onerror="document.title=1">`b`'


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page of nine architectures under six modes, with figures, probes, a failure and nasty names."""
    root = tmp_path_factory.mktemp("page")
    store = write_study(root / "study", six_modes(trials=8))
    probe(store)
    results, analysis = read_and_analyse(store)
    results = dataclasses.replace(
        results,
        name=NASTY,
        failures=(Failure(id="0" * 16, architecture=NASTY, label=NASTY, trial=3, cause=NASTY),),
        skipped=(Skipped(path=root / "x.json", reason=NASTY),),
        manifest=({"command": NASTY, "cpu": "&amp;"},),
        definition=f'name = "{NASTY}"',
    )
    figures = draw_all(results, analysis, root / "report" / "figures")
    return write(Report(results, analysis), figures, root / "report" / "report.html")


# What needs no browser


class Outline(HTMLParser):
    """Ids, what refers to them, addresses that would be fetched, and scripts."""

    def __init__(self):
        super().__init__()
        self.ids, self.referred, self.fetched, self.scripts, self.handlers = [], [], [], 0, []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.referred += (given.get(name) or "").split()
        if tag == "a" and (given.get("href") or "").startswith("#"):
            self.referred.append(given["href"][1:])
        if tag in ("img", "script", "link", "iframe"):
            self.fetched += [given[name] for name in ("src", "href") if given.get(name)]
        self.scripts += tag == "script"
        self.handlers += [name for name in given if name.startswith("on")]


@pytest.fixture(scope="module")
def outline(page_file):
    parser = Outline()
    parser.feed(page_file.read_text())
    return parser


def test_ids_are_unique_and_whatever_refers_to_one_finds_it(outline):
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.referred) <= set(outline.ids)


def test_nothing_is_fetched_from_anywhere(outline):
    assert all(address.startswith("data:") for address in outline.fetched)


def test_names_from_a_study_never_become_markup(page_file, outline):
    assert outline.scripts == 2
    assert outline.handlers == []
    content = page_file.read_text()
    assert "elsewhere.invalid" in content
    assert '<img src="http' not in content


def test_the_same_results_give_the_same_bytes(tmp_path):
    results, analysis = reported(tmp_path / "study", study())
    pages = [
        write(Report(results, analysis), [], tmp_path / name).read_bytes() for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


def test_the_answer_stands_without_scripts_and_in_the_words_of_the_tests(page_file):
    content = page_file.read_text()
    before = content[: content.index('id="filters"')]
    assert "Which interventions help" in before
    assert "Effect of each treatment" in before
    assert "Power and error rate" in before
    assert re.search(r"<code>output</code> lowers test accuracy by \d", before)


@pytest.mark.parametrize("text", ["</script>", "<!--", "a & b", "\u2028", '"', "ünï", "\\u003c"])
def test_data_of_the_page_can_hold_any_text(text):
    said = data([text])
    assert json.loads(said) == [text]
    assert not re.search("[<>&\u2028]", said)


def test_code_marks_are_the_only_markup_of_a_sentence():
    assert marked("`a<b>` & `c`") == "<code>a&lt;b&gt;</code> &amp; <code>c</code>"


def test_images_stay_within_their_budget(page_file):
    images = re.findall(r'src="data:image/png;base64,([^"]*)"', page_file.read_text())
    assert images
    assert sum(map(len, images)) <= BUDGET


def test_a_study_of_one_trial_has_a_page(tmp_path):
    results, analysis = reported(tmp_path / "study", study("none", trials=1, meta_loops=1))
    content = write(Report(results, analysis), [], tmp_path / "page.html").read_text()
    assert "no treatment has a control" in content


def test_style_and_scripts_are_in_the_package_and_name_no_address():
    for name in (*SCRIPTS, "report.css"):
        content = asset(name)
        assert len(content) > 1_000
        assert content.replace("http://www.w3.org/2000/svg", "").count("http") == 0


# In the browser


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium is installed: `apt-get install chromium` makes these tests run")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser of these tests")
    with driver.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, page_file):
    """Opens the page; afterwards, every request but that for the page, and every complaint, is a failure."""
    contexts, own, requests, complaints = [], set(), [], []

    def opened(file=page_file, **settings):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        own.add(file.as_uri())
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in requests if url not in own and not url.startswith("data:")] == []
    assert complaints == []


def visible(page, table, column=1):
    """Texts of a column in the rows that are shown."""
    return page.locator(f"#{table} tbody tr:visible :nth-child({column})").all_inner_texts()


def test_the_page_opens_offline_and_nasty_names_are_text(open_page):
    page = open_page(offline=True)
    assert page.title().startswith("</script>")
    assert page.locator("h1").inner_text() == NASTY
    assert page.locator("#table-failures tbody tr td").nth(2).inner_text() == NASTY
    assert page.locator('img[src^="http"]').count() == 0


def test_the_answer_is_on_the_first_screen(open_page):
    page = open_page()
    effects = "Effect of each treatment against its control (points)"
    for words in ("Which interventions help", effects, "Cost"):
        box = page.get_by_role("heading", name=words, exact=True).bounding_box()
        assert box["y"] < 900


@pytest.fixture(scope="module")
def two_architectures(tmp_path_factory):
    """As many treatments as the quickstart has, on two architectures."""
    root = tmp_path_factory.mktemp("two")
    grid = study("plain", "none", "hidden", "dropout", "noise", "output", architectures=SHAPES[:2], trials=8)
    results, analysis = reported(root / "study", grid)
    return write(Report(results, analysis), [], root / "page.html")


BOTTOM = "(node) => node.getBoundingClientRect().bottom"


@pytest.mark.parametrize("width, height", [(1400, 900), (390, 844)])
def test_the_first_screen_of_two_architectures_holds_sentences_plot_and_cost(
    open_page, two_architectures, width, height
):
    page = open_page(two_architectures, viewport={"width": width, "height": height})
    assert page.locator(".forest tbody tr:not(.head)").count() == 8
    assert page.locator(".costs").evaluate(BOTTOM) < height


def test_on_a_phone_the_menu_is_one_line_and_no_comparison_is_cut_off(open_page, two_architectures):
    page = open_page(two_architectures, viewport={"width": 390, "height": 844})
    assert page.locator("header").evaluate(BOTTOM) < 48
    inside = "(node) => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight"
    assert page.locator(".scroll:has(#table-each)").evaluate(inside)
    assert page.locator("#table-each tbody tr").first.locator("td").nth(2).is_visible()


OVERLAPS = """() => {
  const texts = [...document.querySelectorAll(".forest .axis text")];
  const all = texts.map((text) => text.getBoundingClientRect()).filter((box) => box.width);
  return all.filter((one, index) => index && all[index - 1].right > one.left).length;
}"""


@pytest.mark.parametrize("several", [1, 2])
@pytest.mark.parametrize("harm", [0.0, 0.2, 2.0, 24.0])
def test_the_numbers_of_the_scale_do_not_touch_on_a_phone(open_page, tmp_path, harm, several):
    grid = study("none", "hidden", architectures=SHAPES[:several])
    results = read_study(write_study(tmp_path / "s", grid, effects(hidden=-harm)).root)
    page = open_page(
        write(Report(results, analyse(results)), [], tmp_path / "page.html"),
        viewport={"width": 390, "height": 844},
    )
    assert page.locator(".forest .axis text").count() >= 3
    assert page.evaluate(OVERLAPS) == 0


def test_comparisons_are_a_table_of_treatments_verdicts_and_p(open_page, tmp_path):
    results, analysis = reported(tmp_path / "study", study("none", "hidden", trials=8))
    page = open_page(write(Report(results, analysis), [], tmp_path / "page.html"))
    assert page.locator("#table-each tbody tr").count() == 1
    (one,) = analysis.comparisons
    assert page.locator("#table-each tbody tr > *").all_inner_texts() == [
        "hidden", "none", "[1*32]", with_interval(one.difference), p_value(one.test.p),
        p_value(one.member.adjusted_p), one.verdict,
    ]  # fmt: skip


def test_every_chart_is_drawn_with_values_on_its_marks(open_page):
    page = open_page()
    for chart in ("effects", "map", "curves", "cost"):
        marks = page.locator(f"#chart-{chart} .mark > title")
        assert marks.count() > 5
        assert re.search(r"\d", marks.first.text_content())


def test_a_click_on_a_head_sorts_by_it_and_another_turns_it_round(open_page):
    page = open_page()
    head = page.locator("#table-cells thead th").nth(3)
    head.get_by_role("button").click()
    rising = [float(text.split()[0]) for text in visible(page, "table-cells", 4)]
    assert head.get_attribute("aria-sort") == "ascending"
    assert rising == sorted(rising)
    head.get_by_role("button").click()
    falling = [float(text.split()[0]) for text in visible(page, "table-cells", 4)]
    assert head.get_attribute("aria-sort") == "descending"
    assert falling == rising[::-1]
    assert page.locator("#table-cells [aria-sort=ascending]").count() == 0


def test_numbers_sort_as_numbers_whatever_their_unit(open_page):
    page = open_page()
    values = [
        "-3.29 (-13.50 to +1.17)",
        "< 0.0001",
        "0.031",
        "9.9 s",
        "2.1 min",
        "1.2 h",
        "1,628,170",
        "∞",
        "–",
    ]
    order = page.evaluate(
        "(texts) => sortedBy(texts, true, false).map((index) => texts[index])", values[::-1]
    )
    assert order == values
    falling = page.evaluate("(texts) => sortedBy(texts, true, true).map((index) => texts[index])", values)
    assert falling == [*values[:-1][::-1], "–"]


def test_trials_are_sorted_and_turned_page_by_page(open_page):
    page = open_page()
    assert page.locator("#trials-page").inner_text() == "1 to 50 of 432"
    page.locator("#trials-on").click()
    assert page.locator("#trials-page").inner_text() == "51 to 100 of 432"
    page.locator("#table-trials thead th").nth(3).get_by_role("button").click()
    shown = [float(text) for text in visible(page, "table-trials", 4)]
    assert page.locator("#trials-page").inner_text() == "1 to 50 of 432"
    assert shown == sorted(shown)
    assert page.locator("#trials-back").is_disabled()


def test_filters_of_architecture_and_mode_hold_for_tables_trials_and_charts(open_page):
    page = open_page()
    everything = page.locator("#chart-cost .mark").count()
    page.locator("#filter-architecture").fill("1* 4*4")
    page.locator("#filters label", has_text="dropout").click()
    names = {"[1*64]", "[1*32]", "[1*16]", "[4*4]"}
    assert set(visible(page, "table-cells", 1)) == names
    assert set(visible(page, "table-cells", 2)) == {"none", "decay", "full", "hidden", "output"}
    assert "4 of 9 architectures, 5 of 6 treatments" in page.locator("#filter-count").inner_text()
    assert page.locator("#trials-page").inner_text() == "1 to 50 of 160"
    assert page.locator("#chart-cost .mark").count() == 20 < everything == 54
    page.get_by_role("button", name="Show all").click()
    page.locator("#filter-count", has_text="9 of 9 architectures").wait_for()
    assert len(visible(page, "table-cells", 1)) == 54


def test_a_family_can_be_chosen(open_page):
    page = open_page()
    page.locator("#filter-family").select_option(label="2 hidden layers")
    assert set(visible(page, "table-cells", 1)) == {"[2*59]", "[2*30]", "[2*16]"}


def test_filters_that_nothing_matches_say_so(open_page):
    page = open_page()
    page.locator("#filter-architecture").fill("77*77")
    assert page.locator("#chart-cost .drawing").inner_text() == "Nothing matches the filters."
    assert page.locator("#trials-page").inner_text() == "no trials match"


def luminance(page, element):
    colour = page.evaluate(
        "(name) => getComputedStyle(document.querySelector(name)).backgroundColor", element
    )
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


def test_dark_follows_the_system_and_the_switch_wins_over_it(open_page):
    page = open_page(color_scheme="dark")
    switch = page.locator("#theme")
    assert luminance(page, "body") < 120
    assert switch.text_content() == "Light colours"
    switch.click()
    assert luminance(page, "body") > 700
    assert switch.text_content() == "Dark colours"
    page.reload()
    assert luminance(page, "body") > 700
    page.emulate_media(media="print", color_scheme="dark")
    assert luminance(page, "body") > 700


READ = [
    "h1", ".lead", ".note", ".costs li", ".together code", ".warnings li", "nav a", "td.worse",
    "#filter-count",
]  # fmt: skip
CONTRAST = """(names) => {
  const part = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).map(Number).map(part);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return names.map((name) => {
    const node = document.querySelector(name);
    const [a, b] = [luminance(getComputedStyle(node).color), luminance(behind(node))];
    return [name, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""
"""Contrast of the text of an element with what is behind it, as WCAG defines it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(open_page, scheme):
    page = open_page(color_scheme=scheme)
    ratios = page.evaluate(CONTRAST, READ)
    assert [found for found in ratios if found[1] < 4.5] == []


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 1920])
def test_the_page_never_scrolls_sideways(open_page, width):
    page = open_page(viewport={"width": width, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        "[...document.querySelectorAll('svg')]"
        ".filter((drawing) => drawing.getBoundingClientRect().right > innerWidth).length"
    )
    assert wide == 0


def test_everything_can_be_done_from_the_keyboard(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    button = page.locator("#table-cells thead button").nth(2)
    button.focus()
    outline = button.evaluate("(node) => getComputedStyle(node).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.locator("#table-cells thead th").nth(2).get_attribute("aria-sort") == "ascending"
    drawing = page.locator("#chart-cost .drawing")
    drawing.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#chart-cost .reading").inner_text()
    page.keyboard.press("ArrowRight")
    second = page.locator("#chart-cost .reading").inner_text()
    assert first != second
    assert re.search(r"\d", first)


def test_what_the_pointer_is_over_is_read_below_the_chart(open_page):
    page = open_page()
    mark = page.locator("#chart-map .mark").first
    mark.hover()
    assert page.locator("#chart-map .reading").inner_text() == mark.locator("title").text_content()


UNNAMED = """() => {
  const all = (name) => [...document.querySelectorAll(name)];
  return [
    ...all("table").filter((table) => !table.caption?.textContent),
    ...all("thead th").filter((head) => head.scope !== "col"),
    ...all(".sortable thead th").filter((head) => !head.getAttribute("aria-sort")),
    ...all("tbody tr").filter((row) => !["row", "rowgroup"].includes(row.cells[0].scope)),
    ...all("input, select").filter((control) => !control.labels.length),
    ...all("img").filter((image) => !image.alt),
    ...all(".drawing").filter((drawing) => !drawing.getAttribute("aria-labelledby")),
  ].map((node) => node.outerHTML.slice(0, 100));
}"""


def test_tables_controls_and_charts_have_names_for_screen_readers(open_page):
    page = open_page()
    unnamed = page.evaluate(UNNAMED)
    assert unnamed == []
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_without_scripts_the_answer_and_the_tables_are_there(open_page):
    page = open_page(java_script_enabled=False)
    assert page.locator(".together li").count() > 2
    assert page.locator("#table-cells tbody tr").count() == 54
    assert "need JavaScript" in page.locator("noscript").inner_text()


def test_it_prints_everything_unfolded_and_nothing_to_click(open_page):
    page = open_page()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert not page.locator("#filters").is_visible()
    assert page.locator("#table-cells").is_visible()
    head = page.locator("#table-cells thead button").first
    # Looked at in real PDFs: with any other display, Chromium 150 prints the head on the first page only.
    assert head.evaluate("(node) => getComputedStyle(node).display") == "contents"
    assert page.pdf().startswith(b"%PDF")
    page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_a_study_with_several_settings_shows_one_at_a_time(open_page, tmp_path):
    grid = study("none", "hidden", architectures=SHAPES[:2], learning_rates=(1e-4, 1e-3), trials=3)
    results, analysis = reported(tmp_path / "study", grid)
    page = open_page(write(Report(results, analysis), [], tmp_path / "page.html"))
    assert len(visible(page, "table-cells", 1)) == 4
    first = visible(page, "table-cells", 1)
    page.locator("#filter-setting").select_option(index=1)
    assert len(visible(page, "table-cells", 1)) == 4
    assert set(first).isdisjoint(visible(page, "table-cells", 1))


def test_charts_are_in_the_unit_of_the_setting_that_is_shown(open_page, tmp_path):
    """A problem of which lower is better, beside an architecture."""
    results = written(
        tmp_path / "s", ERROR, scored(ERROR, 0.02, 0.0001, hidden=0.004), beside=effects(hidden=-1.0)
    )
    file = write(Report(results, analyse(results)), [], tmp_path / "page.html")
    page = open_page(file)
    page.select_option("#filter-setting", index=0)
    assert "difference to control (points)" in page.locator("#chart-effects .drawing").inner_html()
    assert "validation accuracy (%)" in page.locator("#chart-curves .drawing").inner_html()
    page.select_option("#filter-setting", index=1)
    page.select_option("#curves-architecture", label="made_up:Mine")
    assert "(points)" not in page.locator("#chart-effects .drawing").inner_html()
    assert "validation mean squared error" in page.locator("#chart-curves .drawing").inner_html()
    assert "LKG test score" in page.locator("#chart-cost .drawing").inner_html()
    assert "(%)" not in page.locator("#chart-cost .drawing").inner_html()
    (worse,) = page.locator("#chart-effects title").all_text_contents()
    assert "made_up:Mine hidden: +0.00" in worse
    assert "worse" in worse
    page.select_option("#map-metric", value="difference")
    assert "worse" in page.locator("#chart-map title").first.text_content()
