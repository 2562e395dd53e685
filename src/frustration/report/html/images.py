"""Figures that lie inside the page: as small as a few colours make them, and no more than the page "
"can bear."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from frustration.report.figures.drawn import DrawnFigure
from frustration.report.html.markup import marked, text

BUDGET: Final = 1_900_000
"""Bytes of base64 that all images of a page may take together."""
WIDEST: Final = 1_420
_COLOURS: Final = 64
DRAWN_BY_THE_PAGE: Final = (
    "ablation-effect", "baseline", "instability", "late-breakthroughs", "learning-curves", "pareto",
)  # fmt: skip
"""Figures whose numbers the page draws itself, with values on hover; these are not shown twice."""


def gallery(figures: Sequence[DrawnFigure], page: Path) -> str:
    """Every figure with its caption and its files; of those too large for the page, the files alone."""
    shown, others, left = [], [], BUDGET
    for figure in figures:
        if not figure.files:
            continue
        source = next((file for file in figure.files if file.suffix == ".png"), None)
        image = None
        if source is not None and not figure.name.startswith(DRAWN_BY_THE_PAGE):
            image = _embedded(source)
            image = image if len(image[0]) <= left else None
        if image is None:
            others.append(f"<li>{text(figure.title)} {_links(figure, page)}</li>")
            continue
        left -= len(image[0])
        content, width, height = image
        shown.append(
            f'<figure><img alt="{text(figure.title)}. {text(figure.caption)}" width="{width}" '
            f'height="{height}" src="data:image/png;base64,{content}">'
            f"<figcaption><strong>{text(figure.title)}.</strong> {text(figure.caption)} "
            f"{_links(figure, page)}</figcaption></figure>"
        )
    missing = [
        f"<li>{text(figure.title)}: {marked(figure.left_out)}.</li>" for figure in figures if figure.left_out
    ]
    files = f"<h3>Further figures, as files</h3><ul>{''.join(others)}</ul>" if others else ""
    none = f"<h3>Left out</h3><ul>{''.join(missing)}</ul>" if missing else ""
    return f'<div class="gallery">{"".join(shown)}</div>{files}{none}' if shown or files or none else ""


def _embedded(source: Path) -> tuple[str, int, int]:
    """Base64 of a PNG of few colours, and its size in pixels."""
    with Image.open(source) as file:
        picture: Image.Image = file.convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
    width, height = picture.size
    content = io.BytesIO()
    picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(content, "png", optimize=True)
    return base64.b64encode(content.getvalue()).decode(), width // 2, height // 2


def _links(figure: DrawnFigure, page: Path) -> str:
    """Relative, so that the folder of the report can be moved."""
    links = []
    for file in figure.files:
        try:
            where = file.resolve().relative_to(page.resolve().parent).as_posix()
        except ValueError:  # drawn elsewhere: no link that would only work here
            continue
        links.append(f'<a href="{text(where)}">{text(file.suffix[1:].upper())}</a>')
    return f'<span class="files">({", ".join(links)})</span>' if links else ""
