"""Experiment trackers: a run's events to TensorBoard and Weights & Biases, in the run directory."""
