"""Steps of a list of edits as pairs: the answer after each edit, over the answer before it.

After "Fine-Tuning from feedback on text spans" (https://arxiv.org/abs/2512.23693): a verifier has seen
the two ends of a chain, so only their scores are known.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pairwright.inputs.chains import EDITS, answers_between
from pairwright.pairs.minimality import measure

_COSTS = ("attempts", "prompt_tokens", "completion_tokens")
_THOUGHT = ("reasoning", "reasoning_tokens")


def chain_of(columns: dict[str, Any], *, improve: bool) -> Iterator[dict[str, Any]]:
    """Yield the columns of each edit's pair, from those of the pair of all edits.

    Fewer than two edits between the answers make one pair. The first pair carries the reviser's cost.
    """
    first, last = ("rejected", "chosen") if improve else ("chosen", "rejected")
    before, after = (columns[side][0]["content"] for side in (first, last))
    edits = columns.get(EDITS) or []
    answers = answers_between(before, after, edits) if len(edits) > 1 else None
    if answers is None:
        yield columns | {"step": 1, "steps": 1}
        return
    for step, ((old, new), edit) in enumerate(zip(pairwise(answers), edits, strict=True), start=1):
        texts = {first: old, last: new}
        pair = {side: [{"role": "assistant", "content": text}] for side, text in texts.items()}
        measures = measure(texts["chosen"], texts["rejected"], original=old)._asdict()
        seen = {"answer_score": old == before, "revision_score": new == after}
        yield {
            **columns,
            **(dict.fromkeys(_COSTS, 0) | dict.fromkeys(_THOUGHT) if step > 1 else {}),
            **pair,
            **measures,
            **{name: None for name, known in seen.items() if name in columns and not known},
            "source": f"{columns['source']}_chain",
            "rationale": edit["reason"],
            EDITS: [edit],
            "step": step,
            "steps": len(edits),
        }
