"""Batch jobs: requests that a provider answers when it has time, at a lower price."""
