"""Signs of artifacts that can be seen without the truth, and models that turn them into probabilities."""
