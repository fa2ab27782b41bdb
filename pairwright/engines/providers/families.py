"""How providers differ when they are asked through any-llm, which says most things their way by itself.

A table to be read in one look, beside that of servers (`engines/openai/families.py`). What a provider that
is not in it does not take is found out from refusals.
"""

from pairwright.engines.openai.families import Family

_SEED = {"seed": "random_seed"}
_FAMILIES = (
    # name, hosts, owner, renamed, without, thinking, ways, most log-probabilities
    Family("anthropic", "", "", {}, "seed n", "effort", "schema tool", 0),
    Family("vertexaianthropic", "", "", {}, "seed n", "effort", "schema tool", 0),
    Family("gemini", "", "", {}, "n", "effort", "schema tool", 0),
    Family("vertexai", "", "", {}, "n", "effort", "schema tool", 0),
    Family("mistral", "", "", _SEED, "", "effort", "schema tool", 0),
    Family("groq", "", "", {}, "", "effort", "schema tool", 0),
    Family("deepseek", "", "", {}, "seed n", "effort", "tool"),
)


def family_of(provider: str) -> Family:
    """Return how a provider is asked."""
    found = next((family for family in _FAMILIES if family.name == provider), None)
    found = found or Family(provider, thinking="effort", ways="schema tool")
    return found._replace(name=f"{provider}, by any-llm", batch="")
