"""Answers into verdicts into pairs, and how far a judge can be trusted with that."""
