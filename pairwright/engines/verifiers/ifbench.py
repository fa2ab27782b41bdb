"""`check:ifbench`: the instructions of IFBench, by the checkers that were published with it.

Pyatkin et al. 2025, "Generalizing Verifiable Instruction Following", https://arxiv.org/abs/2507.02833. The
library fetches word lists of nltk at its first use.
"""

import json
from collections.abc import Mapping
from typing import Any

from if_verifiable import IFBenchSample, evaluate_output_for_sample

from pairwright.engines.verifiers.check import Check, Score, first_given


def ifbench(*, loose: bool = True, ids: str = "instruction_id_list", arguments: str = "kwargs") -> Check:
    """Return the share of a row's instructions that its answer follows; 1 when it follows all.

    `loose`, as the paper reports it: an answer may be taken without its first line, without its last
    line and without asterisks.
    """

    def score(prompt: str, answer: str, row: Mapping[str, Any]) -> Score:
        names, given = (
            json.loads(v) if isinstance(v, str) else v
            for v in (first_given(row, column) for column in (ids, arguments))
        )
        if not names:
            raise ValueError(f"the row has no instruction in its column `{ids}`")
        sample = IFBenchSample("", prompt, list(names), list(given))
        results, _ = evaluate_output_for_sample("ifbench", sample, answer)
        if answer.strip() and len(results) < len(names):
            known = {result.instruction_id for result in results}
            raise ValueError(f"{next(n for n in names if n not in known)!r} is no instruction of IFBench")
        wrong = [r.instruction_id for r in results if not (r.loose_pass if loose else r.strict_pass)]
        held = len(results) - len(wrong)
        return held / len(names), f"not followed: {', '.join(wrong)}" if wrong else ""

    return Check(score, (ids, arguments), ("if-verifiable",))
