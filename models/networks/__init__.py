"""Supervised networks, each a `Reconstructor`."""
