"""Studies: whole grids of trials, defined in a file, kept in a folder, run until nothing is missing."""
