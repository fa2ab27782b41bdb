"""Run folders on disk: one writer each, written atomically, with a journal and a record."""
