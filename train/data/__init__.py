"""Rows as token ids: pairs, ranked answers, what is held out."""
