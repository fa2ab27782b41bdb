"""Models and tokenizers: names, loading, chat templates, reward heads."""
