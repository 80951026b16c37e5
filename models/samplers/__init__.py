"""Samplers: images that agree with a prior and with what was measured, one method a file."""
