"""Studies: grids of trials, defined in a file, saved in a folder, run until none is missing."""

from frustration.callable_package import make_callable

make_callable(__name__)
