"""What to train with: pairs by what a model makes of each, and settings by what comes of them."""
