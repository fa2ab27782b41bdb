"""What is said where answers that were left out leave nothing to go on with."""

from pathlib import Path

import pytest
from tiny_model import write_jsonl

from pairwright.errors import PairwrightError
from pairwright.stages.sample import SampleConfig, sample
from train.rounds.answers import require_answers


@pytest.mark.parametrize(
    ("whole", "compared", "said"),
    [
        (0, False, "round 3: no answer is usable: of 2, 2 truncated "),
        (1, True, "round 3: no prompt has two usable answers to compare: of 2, 1 truncated "),
        (1, False, ""),
        (2, True, ""),
    ],
)
def test_answers_that_were_cut_off_are_told_with_their_number_and_the_setting(
    tmp_path: Path, whole: int, compared: bool, said: str
) -> None:
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"p{n}"} for n in range(2)])
    ends = [
        {"match": f"p{n}", "text": "x"} | ({} if n < whole else {"finish_reason": "length"})
        for n in range(2)
    ]
    policy = f"canned:{write_jsonl(tmp_path / 'c.jsonl', ends)}"
    out = tmp_path / "answers"
    sample(SampleConfig(input=prompts, out=str(out), policy=policy, n=1))
    if not said:
        require_answers(out, 3, compared=compared)
        return
    with pytest.raises(PairwrightError) as refused:
        require_answers(out, 3, compared=compared)
    assert str(refused.value).startswith(f"{said}(reasons in {out}/dropped); those cut off are left out")
    assert str(refused.value).endswith("a larger --sample.max_tokens")
