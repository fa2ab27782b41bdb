"""The game between reward model and language model (Cheng et al. 2023, arXiv 2311.08045)."""
