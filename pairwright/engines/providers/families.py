"""How providers differ when asked through any-llm, which adapts most of a request by itself.

A table like that of servers (`engines/openai/families.py`). A field that a provider outside the table does
not take is found out from its refusals.
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
    """Return the family of a provider."""
    found = next((family for family in _FAMILIES if family.name == provider), None)
    found = found or Family(provider, thinking="effort", ways="schema tool")
    return found._replace(name=f"{provider}, by any-llm", batch="")
