"""Training on preference pairs: the objective, its reference, its metrics."""
