"""A hook of mkdocs: links to files of the project beside docs/ are checked, and shown as names.

The site holds docs/ alone. Where a page links to a script, an example or the changelog, a reader of the site
sees its path; a link to nothing ends the build.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?:\.\./)+[^)#\s]*)(#[^)\s]*)?\)")
log = logging.getLogger("mkdocs.plugins.site_links")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called by mkdocs with the text of each page."""
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def shown(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not target.exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, link[2])
        return f"{link[1]} (`{target.relative_to(ROOT)}`)"

    return LINK.sub(shown, markdown)
