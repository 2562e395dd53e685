"""Draws docs/images/live-view.svg: the live view of `train` part of the way through a real comparison.

    .venv/bin/python scripts/draw_live_view.py [FILE]

The networks are trained here and now; only the clock is made up (TICK seconds per trial and loop), so that
the picture does not depend on how busy the machine is.
"""

from __future__ import annotations

import io
import sys
import tempfile
import threading
from pathlib import Path

from rich.console import Console

from frustration import Architecture
from frustration.request import Request
from frustration.runners.events import LoopDone, SessionEvent
from frustration.session import train
from frustration.terminal.printing import say
from frustration.terminal.train import TrainShow

MODES = ("none", "dropout", "hidden", "output")
TRIALS, LOOPS, SHOWN_LOOPS = 3, 16, 11
TICK = 0.05
COLUMNS = 80
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "live-view.svg"


def main() -> None:
    now = 0.0
    stop = threading.Event()
    console = Console(record=True, width=COLUMNS, height=30, file=io.StringIO(), force_terminal=True,
                      color_system="truecolor", highlight=False, markup=False)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            architecture=Architecture.parse("[1*32]"),
            modes=MODES,
            trials=TRIALS,
            meta_loops=LOOPS,
            device="cpu",
            threads=1,
            model_dir=Path(folder),
        )
        show = TrainShow(request, clock=lambda: now)

        def watch(event: SessionEvent) -> None:
            nonlocal now
            if isinstance(event, LoopDone):
                if event.entry.loop > SHOWN_LOOPS:
                    stop.set()
                    return
                now += TICK
            for what in show.tell(event):
                say(console, what)

        train(request, watch, stop)
    for part in ("", *show.picture(COLUMNS, console.height)):
        say(console, part)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(console.export_svg(title="train", code_format=WITHOUT_WEB_FONTS))
    print(target)


WITHOUT_WEB_FONTS = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""

if __name__ == "__main__":
    main()
