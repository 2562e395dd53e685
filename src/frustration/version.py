"""The version of this package, and the folder of its code."""

from pathlib import Path

VERSION = "0.1.0"
PACKAGE = Path(__file__).parent
