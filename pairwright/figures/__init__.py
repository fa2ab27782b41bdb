"""The numbers of a folder for terminal, JSON and report: counted here, or read from what commands wrote."""
