"""Training: simulated scans in, weights out."""
