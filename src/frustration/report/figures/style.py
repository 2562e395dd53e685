"""The look of all figures: one palette, one type size, one way to write a file.

Sizes are those of a printed page: 7.1 inches are the width of its text. looks.py says how treatments look.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from frustration.files import write_atomically

PAGE: Final = 7.1
"""Inches; the width of a figure across both columns of a page."""
TEXT: Final = 7.5
SMALL: Final = 6.5
TINY: Final = 5.6
"""Points; the smallest type in any figure (numbers inside tiles)."""
DPI: Final = 200
INK: Final = "#1A1A1A"
QUIET: Final = "#6B6B6B"
"""Of axes, grids and notes; 5.3 to 1 on white."""
NOTHING: Final = "#E4E4E4"
"""Where there is no value, or no claim."""

SEQUENTIAL: Final = "cividis"
DIVERGING: Final = LinearSegmentedColormap.from_list(
    "harm-help", ["#8C3B00", "#D55E00", "#F3B98F", "#F7F7F7", "#8EC3E3", "#0072B2", "#00436B"]
)
"""Vermilion where control is better, blue where the treatment is; white at no difference."""


_RC: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": TEXT,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E2E2E2",
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.6,
    "hatch.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.unicode_minus": True,
    "svg.fonttype": "path",  # text looks the same where the font is missing
    "svg.hashsalt": "frustration",  # ids that are the same in every run
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "agg.path.chunksize": 0,
}


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Within it the style holds, whatever the user's own matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]  # its keys are a list of 300 literals
        yield


def sheet(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches that no window and no global list knows of."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def write(figure: Figure, folder: Path, name: str) -> tuple[Path, ...]:
    """NAME.png and NAME.svg in `folder`, with no date and no version in them."""
    files = []
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=DPI, metadata=metadata)
        files.append(folder / f"{name}.{kind}")
        write_atomically(files[-1], content.getvalue())
    return tuple(files)


def ink_on(colour: Any) -> str:
    """Black or white, whichever is read better on `colour` (WCAG's relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else INK


def colour_of(mapping: ScalarMappable, value: float) -> tuple[float, float, float, float]:
    """The colour of one value on a scale."""
    return cast(tuple[float, float, float, float], mapping.to_rgba(cast(Any, value)))
