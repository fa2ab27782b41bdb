"""Rows of finished runs, put together, parted, and sifted: no model is asked anything."""
