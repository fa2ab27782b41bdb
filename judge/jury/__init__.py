"""Judges: how one is asked, how its reply is read, and what a jury makes of several."""
