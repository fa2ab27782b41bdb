"""What to train on, by what a model makes of each pair, and with which settings, by their results."""
