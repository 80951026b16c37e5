"""Perturbations of scans, at random and in the worst case."""
