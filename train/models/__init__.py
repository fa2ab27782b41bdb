"""Models for training: loading, adapters, four bits, saving."""
