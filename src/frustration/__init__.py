"""Frustration Engine: what do training interventions do to neural networks, how surely, at what cost?"""

__version__ = "0.1.0"
