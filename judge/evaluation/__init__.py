"""Models measured by verifiers on prompts: pass rates, paired differences, intervals."""
