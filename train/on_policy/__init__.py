"""On-policy rounds: sample, pair, train, measure, again."""
