"""The model card of a trained model: what it was trained on, how, and what that did."""

from pathlib import Path
from typing import Any

from pairwright.figures.training import Curve, TrainingFigures, training_of
from pairwright.figures.words import in_words
from pairwright.folders.durable import write_durably
from pairwright.folders.front_matter import with_front_matter
from pairwright.models.names import ADAPTER_CONFIG
from pairwright.reports.card import CARD
from train.losses.facts import FACTS
from train.output.record import RunRecord

_COLUMNS = 5
_CURVES = (
    "loss",
    "rewards/chosen",
    "rewards/rejected",
    "rewards/margins",
    "rewards/accuracies",
    "logratios/chosen",
    "logratios/rejected",
    "logratios/common_mode",
    "logratios/difference_mode",
    "logratios/chosen_rose",
    "sft_loss",
)
_SETTINGS = ("model", "data", "output_dir", "preview", "dry_run", "fresh")
"""Settings that the card says elsewhere, or that say nothing of the model."""


def write_model_card(aside: Path, output: Path, record: RunRecord) -> None:
    """Write the card of the run in `output` beside its model in `aside`."""
    adapter = (aside / ADAPTER_CONFIG).is_file()
    text = _card(output.absolute().name, record, training_of(output), adapter=adapter)
    write_durably(aside / CARD, text.encode("utf-8", "replace"))


def _card(name: str, record: RunRecord, figures: TrainingFigures, *, adapter: bool) -> str:
    config = record.config
    front: dict[str, Any] = {
        "library_name": "peft" if adapter else "transformers",
        "tags": ["preference", str(config.get("loss", "reward-model")), "pairwright"],
    }
    if config["model"].count("/") == 1 and not Path(config["model"]).exists():
        front["base_model"] = config["model"]
    counts = record.counts
    dropped = {reason: len(ids) for reason, ids in record.dropped.items() if ids}
    lost = "".join(f", {n:,} left out as `{reason}`" for reason, n in dropped.items())
    changed = {n: v for n, v in config.items() if n not in _SETTINGS and v not in (None, [], "")}
    how = "as a reward model by `pairwright reward`"
    if "beta" in config:
        has_beta = config["loss"] not in FACTS or FACTS[config["loss"]].beta
        beta = f" (beta {config['beta']:g})" if has_beta else ""
        how = f"with `{config['loss']}`{beta} by `pairwright train`"
    settings = "\n".join(f"| `{name}` | `{value}` |" for name, value in changed.items())
    words = in_words(figures)
    body = f"""# {name}

{"An adapter of " if adapter else ""}`{config["model"]}`, trained on preference pairs
{how}. {words}

The licence is yours to name in the front matter: it follows from the model that was trained and the data.

## Data

{", ".join(f"`{source}`" for source in config["data"])}: {counts.get("pairs", 0):,} pairs trained on,
{counts.get("held_out_pairs", 0):,} held out (no prompt is on both sides){lost}.

## What training did

{_table(figures.curves, "pairs trained on, at update")}
{_table(figures.held_out, "held-out pairs, after update")}
Log-ratios are in nats a whole answer, against the model as it was at the start; rewards: beta times that.
`metrics.jsonl` has every update; `pairwright report` draws it.

## Settings

| setting | value |
|---|---|
{settings}

{", ".join(f"{name} {version}" for name, version in record.versions.items())}.
"""
    return with_front_matter(body, front)


def _table(curves: dict[str, Curve], title: str) -> str:
    """The curves at up to five of their updates; nothing where there are none."""
    shown = [(name, curves[name]) for name in _CURVES if name in curves]
    if not shown:
        return ""
    steps = sorted({step for _, curve in shown for step in curve.steps})
    last = len(steps) - 1
    chosen = sorted({steps[round(i * last / (_COLUMNS - 1))] for i in range(_COLUMNS)})
    rows = [
        f"| {title} | {' | '.join(map(str, chosen))} |",
        f"|---|{'---|' * len(chosen)}",
    ]
    for name, curve in shown:
        values = dict(zip(curve.steps, curve.values, strict=True))
        rows.append(
            f"| `{name}` | {' | '.join(f'{values[s]:.4g}' if s in values else '' for s in chosen)} |"
        )
    return "\n".join(rows) + "\n"
