"""Any `torch.nn.Module`: its units, its dendrites, and the backend that trains it.

`Units`, `Dendritic` and `Growing` need nothing of the meta-loop: they serve loops of one's own too.
"""
