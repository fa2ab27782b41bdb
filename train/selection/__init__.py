"""Which pairs to train on: what a model makes of each, and rules that go by it."""
