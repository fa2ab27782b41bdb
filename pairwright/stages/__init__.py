"""A stage run from settings to a finished folder: requests out, completions back, rows written."""
