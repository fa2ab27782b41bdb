"""Forms of rows that well-known data sets and products made known, in one table (`table.py`)."""
