"""A line of a script, or of a file beside it, that was not understood."""

from __future__ import annotations

import os

import libcst as cst

from frustration.integration.source import Script
from frustration.integration.steps import Step

LONGEST = 60
"""Characters of a script's line that are shown."""


def unexplained(script: Script, at: cst.CSTNode, name: str, look: str, here: Script | None = None) -> Step:
    """One line of what was not understood; `here`: the script that was asked about, where it is another."""
    text = " ".join(script.code(at).split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    file = ""
    if here is not None and here is not script and here.path is not None and script.path is not None:
        file = os.path.relpath(script.path, here.path.parent)
    return Step(name, "undecided", f"`{text}`: look {look}", script.line(at), "look", file=file)
