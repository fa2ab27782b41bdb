"""People's part in it: local pages to review and label pairs, and what they decide made into a run."""
