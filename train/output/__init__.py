"""What a training writes: record, checkpoints, metrics, card, trackers."""
