"""Rows of work, read from files, folders and hub data sets."""
