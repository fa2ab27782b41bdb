"""The numbers of a folder, worked out in one place for the terminal, for JSON and for the report."""
