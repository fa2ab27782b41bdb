"""Models and tokenizers: what a name stands for, loading, chat templates, reward heads."""
