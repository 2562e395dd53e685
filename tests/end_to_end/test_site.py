"""The documentation as a site: what leaves it is checked, and every page of it is found."""

import importlib.util
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def links():
    spec = importlib.util.spec_from_file_location("site_links", PROJECT / "scripts" / "site_links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(links, text, page="python.md"):
    return links.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page)))


def test_a_link_out_of_the_documentation_becomes_a_path(links, caplog):
    assert (
        shown(links, "see [contributing](../CONTRIBUTING.md#commits)")
        == "see contributing (`CONTRIBUTING.md`)"
    )
    assert shown(links, "[a](../../LICENSE)", "modes/hidden.md") == "a (`LICENSE`)"
    assert not caplog.records


def test_a_link_to_nothing_is_a_warning_which_ends_a_strict_build(links, caplog):
    with caplog.at_level(logging.WARNING):
        shown(links, "[a](../nothing.md)")
    assert "nothing.md" in caplog.text


def test_links_within_the_documentation_stay(links):
    text = "[a](reports.md) [b](../statistics.md#intervals) ![p](../images/p.png)"
    assert shown(links, text, "modes/hidden.md") == text


def test_every_page_has_a_place_in_the_navigation():
    named = set(re.findall(r"(?<=[ :])[\w/.-]+\.md$", (PROJECT / "mkdocs.yml").read_text(), flags=re.M))
    there = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").rglob("*.md")}
    assert named == there


def test_links_of_the_files_beside_it_lead_somewhere():
    targets = [
        (path, target)
        for path in (*PROJECT.glob("*.md"), *(PROJECT / "examples").rglob("*.md"))
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if "://" not in target
    ]
    missing = [(path.name, target) for path, target in targets if not (path.parent / target).exists()]
    assert missing == []
