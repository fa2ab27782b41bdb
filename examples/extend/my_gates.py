"""A gate of your own: `pairwright revise … --gates examples/extend/my_gates.py:no_new_exclamation`."""

from revise.gates import Candidate, GateConfig, Verdict


def no_new_exclamation(candidate: Candidate, config: GateConfig) -> Verdict | None:
    """Drop a revision that shouts where the answer did not; None lets it pass."""
    if candidate.revision.count("!") > candidate.original.count("!"):
        return Verdict("shouting", "the revision has more exclamation marks than the answer")
    return None
