"""What is shown on a terminal, and what Ctrl-C does there."""
