"""Known sets of prompts, each with the verifier that goes with it."""

from typing import NamedTuple


class Suite(NamedTuple):
    """A set of prompts."""

    source: str
    """On the hub."""
    verify: str
    prompt_column: str
    by: str | None = None
    """Column whose values are told apart, where nothing else is asked."""


SUITES = {
    "ifeval": Suite("google/IFEval:train", "check:ifeval", "prompt", "instruction_id_list"),
    "gsm8k": Suite("openai/gsm8k:test", "check:math(gold=answer)", "question"),
    "ifbench": Suite("allenai/IFBench_test:train", "check:ifbench", "prompt", "instruction_id_list"),
}
