"""Reward models: trained on pairs by Bradley-Terry, measured, and used to score answers."""
