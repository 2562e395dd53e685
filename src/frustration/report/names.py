"""How the two files of a report are named that a person opens."""

from typing import Final

REPORT: Final = "report.md"
PAGE: Final = "report.html"
