"""Every loss as a pure function, by family: what it compares, and with what."""
