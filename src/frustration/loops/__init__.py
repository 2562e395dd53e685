"""Interventions in a training loop that somebody else wrote: dendrite growth.

`Growth` grows dendrites by the schedule of mode `dendrites`. Callbacks for two trainers are in
`frustration.loops.lightning` and `frustration.loops.transformers`.
"""

from frustration.loops.growth import Growth, Proposal, load_grown
from frustration.loops.outcome import Outcome

__all__ = ["Growth", "Outcome", "Proposal", "load_grown"]
