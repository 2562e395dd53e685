"""The original project's forms: its commands, tables, names and files, all in one place."""
