"""Reads training scripts, reports on their integration and edits it. Never imports what it reads."""
