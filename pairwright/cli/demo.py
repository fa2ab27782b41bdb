"""`pairwright demo`: the whole way from prompts to a trained model, by the commands a user would type."""

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, PositiveInt
from rich.console import Console
from rich.table import Table

from pairwright.config import POSITIONAL, Config
from pairwright.errors import PairwrightError
from pairwright.figures import figures_of
from pairwright.figures.rows import rows_of_run
from pairwright.figures.spread import Spread
from pairwright.figures.training import TrainingFigures
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.folders.shards import read_tables
from pairwright.pairs.word_diff import word_diff
from pairwright.records import KEPT
from pairwright.terminal.text import printable

_SAMPLING = "--max_tokens 192 --temperature 0.8 --top_p 0.95 --dtype bfloat16"
_REVISING = (
    "--template revise_small --reply bare --max_tokens 256 --temperature 0.5 --top_p 0.9 --dtype bfloat16"
)
_TRAINING = (
    "--loss apo_zero --beta 0.5 --learning_rate 2e-5 --num_train_epochs 2 --pairs_per_update 8 "
    "--eval_share 0.2"
)
"""What suits a model of 135M parameters, which keeps to no form and moves at no usual learning rate."""


class DemoConfig(Config):
    """Sample, revise and train with one small model, and make a page that shows what that did.

    Example: pairwright demo examples/prompts.jsonl --out demo
    """

    prompts: Path = Field(json_schema_extra=POSITIONAL)
    """JSONL file of prompts."""
    out: Path = Path("demo")
    """Folder for the three runs. What is finished there is not done again."""
    model: str = "smollm2"
    """Policy, reviser and the model to train: `smollm2` (built in), a folder, or a hub id."""
    n: PositiveInt = 2
    """Answers to each prompt."""


def demo(config: DemoConfig) -> None:
    """Run the four commands, then show rows, measures, log-ratios and one pair."""
    from pairwright.cli import run_command

    started = time.monotonic()
    console = Console()
    for command in _commands(config):
        console.print(f"\n[bold]$ pairwright {shlex.join(command)}[/bold]", highlight=False)
        run_command(command)
        _stop_without_pairs(config, command[0])
    _show(console, config, time.monotonic() - started)


def _commands(config: DemoConfig) -> list[list[str]]:
    answers, pairs, model = (shlex.quote(str(config.out / name)) for name in ("answers", "pairs", "model"))
    prompts, engine = shlex.quote(str(config.prompts)), shlex.quote(f"hf:{config.model}")
    lines = (
        f"sample {prompts} --policy {engine} --n {config.n} {_SAMPLING} --out {answers}",
        f"revise {answers} --reviser {engine} {_REVISING} --out {pairs}",
        f"train --model {shlex.quote(config.model)} --data {pairs} {_TRAINING} --output_dir {model}",
        f"report {pairs} {model} --out {shlex.quote(str(config.out / 'report.html'))}",
    )
    return [shlex.split(line) for line in lines]


def _stop_without_pairs(config: DemoConfig, stage: str) -> None:
    if stage == "revise" and not load_manifest(config.out / "pairs").counts.get(KEPT):
        raise PairwrightError(
            f"{config.out / 'pairs'}: no revision passed the gates, so there is nothing to train on; "
            "sample more answers with --n"
        )


def _show(console: Console, config: DemoConfig, seconds: float) -> None:
    manifest = load_manifest(config.out / "pairs")
    pairs = pa.concat_tables(t.replace_schema_metadata() for t in read_tables(config.out / "pairs"))
    measures = rows_of_run(config.out / "pairs", manifest).measures
    trained = figures_of(config.out / "model")
    console.print()
    console.print(_table(manifest, measures, trained.training))
    console.print(trained.in_words, highlight=False)
    _show_pair(console, pairs)
    console.print(
        f"\n{config.model} revises badly, and the pairs show it: it is here because it runs anywhere. "
        "With a better reviser, for instance a server of yours, the same two commands make good pairs:\n\n"
        f"  pairwright revise {config.out}/answers --reviser openai:MODEL@http://localhost:8000/v1 "
        f"--out runs/pairs\n"
        f"  pairwright train --model {config.model} --data runs/pairs --output_dir runs/model\n\n"
        f"answers: {config.out}/answers · pairs: {config.out}/pairs · "
        f"trained model: {config.out}/model · {seconds:,.0f} s in all\n"
        f"open {config.out}/report.html to look at all of it",
        highlight=False,
        soft_wrap=True,
    )


def _table(manifest: Manifest, measures: Mapping[str, Spread], training: TrainingFigures | None) -> Table:
    """What became of the rows, how minimal the pairs are, and what training did to them."""
    table = Table("what", "", title="what happened", title_justify="left")
    counts = manifest.counts
    table.add_row("answers revised", f"{manifest.items:,}")
    table.add_row("pairs kept", f"{counts[KEPT]:,}")
    for status, count in sorted(counts.items(), key=lambda c: -c[1]):
        if status != KEPT:
            table.add_row(f"  dropped: {status}", f"{count:,}")
    table.add_section()
    for name in ("edit_distance", "kept_share", "length_ratio"):
        table.add_row(f"median {name}", f"{measures[name].median:.2f}")
    table.add_section()
    for side in ("chosen", "rejected"):
        curve = training.held_out.get(f"logratios/{side}") if training else None
        if curve is not None:
            table.add_row(
                f"held-out log-ratio of {side}, before → after",
                f"{curve.values[0]:+.2f} → {curve.last:+.2f} nats",
            )
    return table


def _show_pair(console: Console, pairs: pa.Table) -> None:
    """The pair in the middle, of those with something to read: as many are more minimal as less."""
    long = pairs.filter(pc.greater(pc.list_value_length(pairs["changed_spans"]), 1))
    long = long if long.num_rows else pairs
    order = pc.sort_indices(long, sort_keys=[("edit_distance", "ascending")])
    row: dict[str, Any] = long.slice(order[len(order) // 2].as_py(), 1).to_pylist()[0]
    console.print(f"\n[bold]a pair[/bold] ({row['row_id']}), rejected → chosen")
    console.print(printable(row["prompt"][-1]["content"]), style="dim", markup=False, highlight=False)
    rejected, chosen = (printable(row[side][0]["content"]) for side in ("rejected", "chosen"))
    console.print(word_diff(rejected, chosen, markers=console.color_system is None), soft_wrap=True)
