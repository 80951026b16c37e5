"""Coil sensitivity maps, coil compression, g-factor."""
