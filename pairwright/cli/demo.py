"""`pairwright demo`: from prompts to a model that follows them better, by commands a user would type."""

import shlex
import time
from pathlib import Path

from pydantic import Field, PositiveInt
from rich.console import Console

from pairwright.config import POSITIONAL, Config
from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.records import KEPT

PROMPTS, HELD_OUT, CHECKS = "demo_prompts.jsonl", "demo_held_out.jsonl", "checks.py"
_ANSWERING = "--max_tokens 64 --dtype {dtype} --batch_size 96"
_REVISING = (
    "--prompt_column input_prompt --mirror prompt --min_kept_share 0 --max_edit_distance 1 "
    "--min_length_ratio 0.3 --max_length_ratio 3"
)
"""What was asked in sampling is the mirror: the bare question. Repairs are verified, so they may change
much: capitals change every word."""
_TRAINING = (
    "--loss apo_zero --sft_weight 1 --lora_r 32 --lora_alpha 64 --merge_adapter --learning_rate 1e-3 "
    "--max_steps 32 --pairs_per_update 8 --eval_share 0.03"
)
_UNASKED = 40
"""Held-out questions that are also asked without a request."""


class DemoConfig(Config):
    """Make a small model follow requests better: sample, repair, train, and measure before and after.

    Example: pairwright demo examples --out demo
    """

    examples: Path = Field(json_schema_extra=POSITIONAL)
    """Folder with `demo_prompts.jsonl`, `demo_held_out.jsonl` and `checks.py`, such as the repository's
    `examples`."""
    out: Path = Path("demo")
    """Folder for the runs. What is finished there is not done again."""
    model: str = "smollm2"
    """The model to sample from and to train: `smollm2` (built in), a folder, or a hub id."""
    n: PositiveInt = 1
    """Answers to each prompt."""
    temperature: float = Field(default=0.7, gt=0, allow_inf_nan=False)
    """Softmax temperature of these answers. The least change of it draws others."""
    seed: int = Field(default=42, ge=0)
    """Decides which pairs are trained on, their order, and what the adapters begin with."""


def demo(config: DemoConfig) -> None:
    """Run the commands, then show their results."""
    from pairwright.cli import run_command
    from pairwright.cli.demo_outcome import show_outcome

    started = time.monotonic()
    console = Console()
    for name in (PROMPTS, HELD_OUT, CHECKS):
        if not (config.examples / name).is_file():
            raise UsageError(
                f"{config.examples / name}: no such file; the demo wants {PROMPTS}, {HELD_OUT} and {CHECKS}"
            )
    for command in commands_of(config):
        console.print(f"\n[bold]$ pairwright {shlex.join(command)}[/bold]", highlight=False, soft_wrap=True)
        run_command(command)
        _stop_without_pairs(config, command[0])
    show_outcome(console, config.out, time.monotonic() - started)


def commands_of(config: DemoConfig) -> list[list[str]]:
    """Return the command lines of the demo, without `pairwright`."""
    from pairwright.models.loading import fastest_dtype

    def quoted(path: Path | str) -> str:
        return shlex.quote(str(path))

    prompts, held_out, checks = (quoted(config.examples / name) for name in (PROMPTS, HELD_OUT, CHECKS))
    names = ("answers", "pairs", "model", "asked", "unasked", "report.html")
    answers, pairs, model, asked, unasked, page = (quoted(config.out / name) for name in names)
    engine = quoted(f"hf:{config.model}")
    answering = _ANSWERING.format(dtype=fastest_dtype())
    both = f"{engine},{quoted(f'hf:{config.out}/model')}"
    lines = (
        f"sample {prompts} --prompt_column plain --policy {engine} --n {config.n} "
        f"--temperature {config.temperature} --top_p 0.95 {answering} --out {answers}",
        f"revise {answers} --reviser python:{checks}:repair --verify {checks}:passes {_REVISING} "
        f"--out {pairs}",
        f"train --model {quoted(config.model)} --data {pairs} {_TRAINING} --seed {config.seed} "
        f"--output_dir {model}",
        f"eval {both} --prompts {held_out} --verify {checks}:passes --by form {answering} --out {asked}",
        f"eval {both} --prompts {held_out} --prompt_column plain --limit {_UNASKED} "
        f"--verify {checks}:nothing_unasked {answering} --out {unasked}",
        f"report {answers} {pairs} {model} {asked} {unasked} --out {page}",
    )
    return [shlex.split(line) for line in lines]


def _stop_without_pairs(config: DemoConfig, stage: str) -> None:
    if stage == "revise" and not load_manifest(config.out / "pairs").counts.get(KEPT):
        raise PairwrightError(
            f"{config.out / 'pairs'}: no repaired answer was verified, so there is nothing to train on; "
            "sample more answers with --n"
        )
