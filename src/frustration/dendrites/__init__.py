"""Gradient-descent dendrites: when they grow, what they are drawn from, and the library they come from."""

from frustration.dendrites.schedule import Attempt, Decision, Schedule
from frustration.dendrites.settings import Settings, SettingsError

__all__ = ["Attempt", "Decision", "Schedule", "Settings", "SettingsError"]
