"""Simulated acquisition: phantoms, coils, masks, trajectories, noise, and the training slices made of them."""
