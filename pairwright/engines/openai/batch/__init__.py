"""Batch jobs: requests that a provider answers later, at a lower price."""
