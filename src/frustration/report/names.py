"""The names of the two files of a report that a person opens."""

from typing import Final

REPORT: Final = "report.md"
PAGE: Final = "report.html"
