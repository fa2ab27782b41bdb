"""Judges: how one is asked, how its reply is read, and how several decide together."""
