"""One HTML page about one or several folders: open it from disk, send it to somebody, print it."""
