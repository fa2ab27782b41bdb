"""Revision by a list of small edits, which our own code applies."""
