"""Published recipes as sequences of our own commands, every number with its source."""
