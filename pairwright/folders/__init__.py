"""Run folders on disk: claimed by one writer, written whole, journaled, and recorded."""
