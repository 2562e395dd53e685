"""Interventions in your own training loop: dendrite growth, and damage with a ratchet.

`Growth` grows dendrites by the schedule of mode `dendrites`. `Ratchet` keeps the Last Known Good network,
treats it before each loop, and goes back where that did not help. Callbacks for two trainers are in
`frustration.loops.lightning` and `frustration.loops.transformers`.
"""

from frustration.loops.growth import Growth, Proposal, load_grown
from frustration.loops.outcome import Outcome
from frustration.loops.ratchet import Ratchet

__all__ = ["Growth", "Outcome", "Proposal", "Ratchet", "load_grown"]
