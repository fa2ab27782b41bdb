"""Answers into verdicts into pairs. The room is kept free for the judge."""
