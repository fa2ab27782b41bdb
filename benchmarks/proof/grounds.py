"""Where arms are compared: prompts, who mends and verifies, how much is asked and trained."""

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from forms import INSTRUCTED, Forms

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
LORA = (
    "--lora_r 32 --lora_alpha 64 --merge_adapter --save_steps 0 --pairs_per_update 8 --learning_rate 1e-3"
)
_ALL_WEIGHTS = "--save_steps 0 --pairs_per_update 8 --learning_rate 5e-5"


class Evaluation(NamedTuple):
    """What a model is measured on."""

    name: str
    prompts: str
    """A file; with `{prompts}` and `{ifeval}` for the made folder and the file that a user names."""
    verify: str
    settings: str


class Ground(NamedTuple):
    """Prompts and settings that all arms of a table share."""

    train: str
    """Prompts to train on; their columns `plain` and `another` ask for nothing and for something else."""
    once: str
    """Those of them whose bare task is answered, to be repaired."""
    short: bool
    """Whether these answers are cut at a sentence: see `instructions/shorten.py`."""
    repair: str
    verify: str
    sampling: str
    temperature: float
    """Of answers to the whole prompt; those to the bare task have 0.7."""
    asked_limit: int | None
    """Most prompts that are answered whole."""
    training: str
    evaluations: tuple[Evaluation, Evaluation]
    """The first has the gain. The second shows what else became of the model."""
    forms: Callable[[], Forms]
    asked: Callable[[Mapping[str, Any]], list[str]]
    """The names under which a row's requests stand among the forms."""


def _demo_forms() -> Forms:
    """Forms that stand in no answer by chance, as the demo counts them."""
    found = runpy.run_path(str(EXAMPLES / "checks.py"))["FORMS"]
    return {
        name: (name, lambda answer, name=name: bool(found[name][1](answer, "")))
        for name in found.keys() - {"opening", "no commas"}
    }


_CHECKS = EXAMPLES / "checks.py"


GROUNDS = {
    "demo": Ground(
        train=str(EXAMPLES / "demo_prompts.jsonl"),
        once=str(EXAMPLES / "demo_prompts.jsonl"),
        short=False,
        repair=f"{_CHECKS}:repair",
        verify=f"{_CHECKS}:passes",
        sampling="--top_p 0.95 --max_tokens 64",
        temperature=0.7,
        asked_limit=None,
        training=f"{LORA} --max_steps 32 --eval_share 0.05",
        evaluations=(
            Evaluation(
                "asked", str(EXAMPLES / "demo_held_out.jsonl"), f"{_CHECKS}:passes", "--max_tokens 64"
            ),
            Evaluation(
                "bare",
                str(EXAMPLES / "demo_held_out.jsonl"),
                f"{_CHECKS}:nothing_unasked",
                "--max_tokens 64 --prompt_column plain --limit 90",
            ),
        ),
        forms=_demo_forms,
        asked=lambda row: [row["form"]] if row.get("input_prompt") is None else [],
    ),
    "ifeval": Ground(
        train="{prompts}/train.jsonl",
        once="{prompts}/once.jsonl",
        short=True,
        repair=f"{HERE / 'instructions' / 'repairs.py'}:repair",
        verify="check:ifeval",
        sampling="--top_p 0.95 --max_tokens 192",
        temperature=1.0,
        asked_limit=300,
        training=f"{_ALL_WEIGHTS} --num_train_epochs 2 --eval_share 0.02",
        evaluations=(
            Evaluation("ifeval", "{ifeval}", "check:ifeval", "--max_tokens {eval_tokens}"),
            Evaluation("held_out", "{prompts}/held_out.jsonl", "check:ifeval", "--max_tokens 256"),
        ),
        forms=lambda: INSTRUCTED,
        asked=lambda row: list(row["instruction_id_list"]),
    ),
}
"""`demo`: short questions, minutes an arm. `ifeval`: 26 kinds of request, measured on IFEval's prompts."""
