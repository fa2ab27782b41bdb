"""The training loop: batches, gradient, update, schedule."""
