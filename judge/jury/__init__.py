"""Judges: how one is asked (by choice, log-probability, score, reward), what it says, and what a jury makes of it."""
