"""Rows of finished runs merged, split and filtered; no engine is asked."""
