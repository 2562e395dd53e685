"""The meta-loop and the backends that train for it."""
