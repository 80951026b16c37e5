"""What images look like: denoisers at every noise level, learnt or exact."""
