"""Studies: whole grids of trials, defined in a file, kept in a folder, run until nothing is missing."""

from frustration.callable_package import make_callable

make_callable(__name__)
