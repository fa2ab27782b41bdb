"""The files that a training writes: record, checkpoints, metrics, card, trackers."""
