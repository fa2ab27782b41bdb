"""Models as they are trained: loading, adapters, four bits, saving."""
