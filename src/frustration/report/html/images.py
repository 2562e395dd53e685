"""Figures embedded in the page: in few colours, so that they are small, and a limited number."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup
from PIL import Image as Pillow

from frustration.report.figures.drawn import DrawnFigure
from frustration.report.html.templates import drawn

BUDGET: Final = 1_900_000
"""Bytes of base64 that all images of a page may take together."""
WIDEST: Final = 1_420
_COLOURS: Final = 64
DRAWN_BY_THE_PAGE: Final = (
    "ablation-effect", "baseline", "instability", "late-breakthroughs", "learning-curves", "pareto",
)  # fmt: skip
"""Figures whose numbers the page draws itself, with values on hover; these are not shown twice."""


@dataclass(frozen=True)
class Image:
    """A PNG of few colours in base64, and its size on the page in pixels."""

    content: str
    width: int
    height: int


def gallery(figures: Sequence[DrawnFigure], page: Path) -> Markup:
    """Every figure with its caption and its files; of those too large for the page, the files alone."""
    shown: list[tuple[DrawnFigure, Image]] = []
    others, left = [], BUDGET
    for figure in figures:
        if not figure.files:
            continue
        source = next((file for file in figure.files if file.suffix == ".png"), None)
        image = _embedded(source) if source and not figure.name.startswith(DRAWN_BY_THE_PAGE) else None
        if image is None or len(image.content) > left:
            others.append(figure)
            continue
        left -= len(image.content)
        shown.append((figure, image))
    missing = [figure for figure in figures if figure.left_out]
    if not shown and not others and not missing:
        return Markup()
    links = {figure.name: _links(figure, page) for figure in figures}
    return drawn("gallery.html", shown=shown, others=others, missing=missing, files=links)


def _embedded(source: Path) -> Image:
    with Pillow.open(source) as file:
        picture: Pillow.Image = file.convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
    width, height = picture.size
    content = io.BytesIO()
    picture.quantize(_COLOURS, dither=Pillow.Dither.NONE).save(content, "png", optimize=True)
    return Image(base64.b64encode(content.getvalue()).decode(), width // 2, height // 2)


def _links(figure: DrawnFigure, page: Path) -> list[tuple[str, str]]:
    """(where, kind) of its files. Relative, so that the folder of the report can be moved."""
    links = []
    for file in figure.files:
        try:
            where = file.resolve().relative_to(page.resolve().parent).as_posix()
        except ValueError:  # drawn elsewhere: no link that would only work here
            continue
        links.append((where, file.suffix[1:].upper()))
    return links
