"""Forward passes: answers to one prompt as a tree, log-probabilities and rewards out."""
