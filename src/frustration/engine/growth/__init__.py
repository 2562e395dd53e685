"""How networks grow while they train: one growth, the schedule's decisions, growth under the ratchet."""
