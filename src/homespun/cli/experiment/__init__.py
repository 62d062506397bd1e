"""The commands of `homespun experiment`: what is measured without a sweep of training runs, one command each."""
