"""perforatedai itself as a backend: one process per trial, its traps fenced off."""
