"""Two models compared: win rates with intervals, controlled for length."""
