"""Row formats of well-known data sets and products, in one table (`table.py`)."""
