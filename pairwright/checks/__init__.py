"""Whether this machine, and an engine, can do what a run will ask of them."""
