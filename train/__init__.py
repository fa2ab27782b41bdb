"""Pairs to weights: trainings, reward models, on-policy rounds and the game."""
