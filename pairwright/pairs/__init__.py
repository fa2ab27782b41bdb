"""Measures of a pair of answers, and the columns that hold them."""
