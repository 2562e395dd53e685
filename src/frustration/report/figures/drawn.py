"""A figure of a report as a text, a page or a program meets it: its files and its words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """A figure of the report, or one that the study cannot support."""

    name: str
    title: str
    caption: str
    files: tuple[Path, ...]
    """PNG and SVG; empty where it was left out."""
    left_out: str = ""
    """Why there is none."""
