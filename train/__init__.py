"""Pairs to weights: losses, the trainer, its checkpoints. Importing it loads no torch."""
