"""The look of all figures: one palette, one type size, one way to write a file.

Colours are Okabe and Ito's, and Tol's where more than eight are needed: told apart by people with any common
colour blindness. From the ninth mode on no palette can promise that, so every mode has a marker and a dash
of its own too. Sizes are those of a printed page: 7.1 inches are the width of its text.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from frustration.files import write_atomically

PAGE: Final = 7.1
"""Inches; the width of a figure across both columns of a page."""
COLUMN: Final = 3.45
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

Dash = Literal["-"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """How a mode is drawn, everywhere."""

    colour: str
    dark: str
    """The same colour on a dark page."""
    marker: str
    dash: Dash


_SOLID: Final[Dash] = "-"
_LONG: Final = (0.0, (5.0, 1.5))
_SHORT: Final = (0.0, (2.2, 1.2))
_DOTS: Final = (0.0, (1.0, 1.1))
_DASHDOT: Final = (0.0, (5.0, 1.2, 1.0, 1.2))

KNOWN: Final = {
    "none": Look("#000000", "#F0F0F0", "o", _SOLID),
    "decay": Look("#7F7F7F", "#A3A3A3", "s", _DOTS),
    "dropout": Look("#56B4E9", "#56B4E9", "D", _LONG),
    "full": Look("#E69F00", "#F0B429", "^", _SOLID),
    "hidden": Look("#0072B2", "#5AA9E0", "v", _SOLID),
    "output": Look("#D55E00", "#F07F3C", "P", _SOLID),
    "noise": Look("#CC79A7", "#DD9AC0", "X", _SHORT),
    "plain": Look("#882255", "#D46A9F", "h", _DASHDOT),
    "dendrites": Look("#009E73", "#2FC49B", "*", _SOLID),
    "restart": Look("#999933", "#C4C45A", "d", _SHORT),
    "early-stop": Look("#44AA99", "#62CDBB", "p", _DASHDOT),
    "reset": Look("#332288", "#9A8CE8", "<", _DASHDOT),
}
_SPARE: Final = (
    Look("#AA4499", "#D17BC3", ">", _LONG),
    Look("#117733", "#4FB573", "8", _LONG),
    Look("#CC6677", "#E58A99", "H", _SHORT),
    Look("#B8860B", "#DDB347", "s", _SHORT),
    Look("#5C4033", "#B08D7C", "D", _DOTS),
)

SEQUENTIAL: Final = "cividis"
DIVERGING: Final = LinearSegmentedColormap.from_list(
    "harm-help", ["#8C3B00", "#D55E00", "#F3B98F", "#F7F7F7", "#8EC3E3", "#0072B2", "#00436B"]
)
"""Vermilion where control is better, blue where the treatment is; white at no difference."""


def looks(modes: Iterable[str]) -> dict[str, Look]:
    """A look for every mode: its own where it has one, else what the others leave over."""
    names = list(modes)
    taken = {name: KNOWN[name] for name in names if name in KNOWN}
    free = [look for look in (*_SPARE, *KNOWN.values()) if look not in taken.values()] or list(_SPARE)
    rest = [name for name in names if name not in taken]
    return {**taken, **{name: free[i % len(free)] for i, name in enumerate(rest)}}


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
