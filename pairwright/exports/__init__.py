"""Pairs in the forms that other trainers take, and pushed to the hub."""
