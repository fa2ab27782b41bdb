"""What rounds of any kind share: their folder, their prompts, their table."""
