"""Local pages on which people review and label pairs, and runs made of their decisions."""
