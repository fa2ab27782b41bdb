"""Every loss as a pure function, by what it compares."""
