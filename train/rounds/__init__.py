"""Parts that all kinds of rounds share: their folder, their prompts, their table."""
