"""Output on a terminal, and Ctrl-C there."""
