"""A gate of your own: `pairwright revise … --gates examples/extend/my_gates.py:no_new_exclamation`."""

from pairwright.records import Ending
from revise.gates import GateConfig, Revision


def no_new_exclamation(revision: Revision, config: GateConfig) -> Ending | None:
    """Drop a revision that shouts where the answer did not; None lets it pass."""
    if revision.text.count("!") > revision.original.count("!"):
        return Ending("shouting", "the revision has more exclamation marks than the answer")
    return None
