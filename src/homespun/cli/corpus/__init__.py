"""The commands of `homespun corpus`: text to train on, and its token ids."""
