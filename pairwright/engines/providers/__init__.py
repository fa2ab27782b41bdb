"""Providers through any-llm, Mozilla's library over their own SDKs."""
