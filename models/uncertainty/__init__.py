"""How far images can be trusted: statistics of ensembles, and their calibration."""
