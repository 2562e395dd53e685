"""Gradient-descent dendrites: the rules of growth, random draws, and the library that they reproduce."""

from frustration.dendrites.schedule import Attempt, Decision, Schedule
from frustration.dendrites.settings import Settings, SettingsError

__all__ = ["Attempt", "Decision", "Schedule", "Settings", "SettingsError"]
