"""Judges: answers compared into preference pairs, and how far a judge can be trusted with that."""
