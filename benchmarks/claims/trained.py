"""One training run of a claim: settings in, what became of every held-out pair out, kept in a cache

Training is `train.training.train`; only what evaluations measure is kept pair by pair. A run is asked
for once: its curves stay in the cache as JSON under a hash of its settings, its weights are thrown away.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from made_pairs import HELD_OUT_SEED, Made, as_row, joined, made, own, write
from torch import nn

from pairwright.folders.durable import write_durably
from pairwright.inputs.pairs import parse_pair
from pairwright.records import content_hash
from train.preference.config import TrainConfig
from train.preference.metrics import METRICS
from train.preference.task import PreferenceTask
from train.trainer.task import Measured
from train.training import train

PAIRS = "similar", "independent", "own"


@dataclass(frozen=True)
class Setting:
    """All that decides what comes of a run. The optimizer is AdamW at a constant rate, in float32."""

    loss: str = "dpo"
    beta: float = 0.1
    sft_weight: float = 0.0
    sft_reduction: str = "mean"
    sft_times_beta: bool = False
    token_weight: str | None = None
    chain: bool = False
    """Whether training pairs are read as one pair for each edit."""
    pairs: str = "similar"
    """`similar`, `independent` or `own`, as in `made_pairs`."""
    join: int = 1
    """Every other prompt is this many in one."""
    flipped: float = 0.0
    """Share of the training pairs that are labelled the wrong way round."""
    seed: int = 0
    """Decides which pairs are trained on, and their order; the held-out ones are always the same."""
    updates: int = 12
    pairs_per_update: int = 4
    held_out: int = 20
    evaluations: int = 3
    """Equally far apart, and one before the first update."""
    learning_rate: float = 3e-5
    model: str = "smollm2"


class Curves(NamedTuple):
    """T evaluations of P held-out pairs: log-ratios in nats, summed over an answer's tokens."""

    steps_T: npt.NDArray[np.int64]
    chosen_TP: npt.NDArray[np.float64]
    rejected_TP: npt.NDArray[np.float64]
    tokens_P: npt.NDArray[np.int64]
    """Tokens of the chosen answers."""
    kinds_P: npt.NDArray[np.str_]

    @property
    def gap_T(self) -> npt.NDArray[np.float64]:
        """Mean difference of chosen and rejected."""
        gap: npt.NDArray[np.float64] = (self.chosen_TP - self.rejected_TP).mean(1)
        return gap

    @property
    def right_TP(self) -> npt.NDArray[np.float64]:
        """1 where the chosen gained on the rejected, 1/2 where neither did."""
        difference = self.chosen_TP - self.rejected_TP
        right: npt.NDArray[np.float64] = (np.sign(np.round(difference, 4)) + 1) / 2
        return right


class Watched(PreferenceTask):
    """Preference training that remembers each held-out pair of each evaluation."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(config)
        self.evaluations: list[dict[str, list[float]]] = []
        self.tokens: dict[str, int] = {}

    def measure(self, policy: nn.Module, data: Any, indices: Sequence[int]) -> Measured:
        """The same; outside of training it is remembered."""
        measured = super().measure(policy, data, indices)
        if not torch.is_grad_enabled():
            self._remember([data.items[i] for i in indices], measured.metrics_KB)
        return measured

    def _remember(self, pairs: Sequence[Any], metrics_KB: torch.Tensor) -> None:
        rows = [METRICS.index(f"logratios/{side}") for side in ("chosen", "rejected")]
        values = metrics_KB[rows].T.tolist()
        for pair, value in zip(pairs, values, strict=True):
            if not self.evaluations or pair.row_id in self.evaluations[-1]:
                self.evaluations.append({})
            self.evaluations[-1][pair.row_id] = value
            self.tokens[pair.row_id] = len(pair.chosen_ids)


Rows = list[dict[str, Any]]


def curves(setting: Setting, cache: Path, training: Rows | None = None) -> Curves:
    """What came of a setting, from the cache or by training now; `training` in place of its own rows."""
    path = _path(setting, cache, training)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix="run-") as folder:
            trained(setting, Path(folder), cache, training)
    kept = json.loads(path.read_text())
    values = np.array(kept["logratios"])
    numbers = np.array(kept["steps"]), values[..., 0], values[..., 1], np.array(kept["tokens"])
    return Curves(*numbers, kinds_of(pairs_of(setting)[1]))


def trained(setting: Setting, folder: Path, cache: Path, training: Rows | None = None) -> Path:
    """Train in a folder, keep the curves in the cache, and return where the model stands."""
    print(f"training {setting}", flush=True)
    found = _trained(setting, folder, cache, training)
    content = {"setting": asdict(setting)} | found
    write_durably(_path(setting, cache, training), json.dumps(content).encode())
    return folder / "run"


def _path(setting: Setting, cache: Path, training: Rows | None) -> Path:
    given = [] if training is None else [content_hash(training)]
    return cache / f"{content_hash([_said(setting), *given])}.json"


def kinds_of(rows: Sequence[dict[str, Any]]) -> npt.NDArray[np.str_]:
    """The kinds of some pairs, in the order of their row ids."""
    kinds = {parse_pair(row, "made").row_id: row["kind"] for row in rows}
    return np.array([kinds[row_id] for row_id in sorted(kinds)])


def _said(setting: Setting) -> dict[str, Any]:
    """What a setting says that is not so anyway: fields that come later leave finished runs finished."""
    plain = asdict(Setting())
    return {name: value for name, value in asdict(setting).items() if value != plain[name]}


def _trained(setting: Setting, folder: Path, cache: Path, training: Rows | None) -> dict[str, Any]:
    every = max(1, setting.updates // setting.evaluations)
    data, held_out = pairs_of(setting)
    data = data if training is None else training
    config = TrainConfig(
        model=setting.model,
        data=(write(Path(folder, "training.jsonl"), data),),
        eval_data=(write(Path(folder, "held_out.jsonl"), held_out),),
        output_dir=str(Path(folder, "run")),
        loss=setting.loss,  # type: ignore[arg-type]
        beta=setting.beta,
        sft_weight=setting.sft_weight,
        sft_reduction=setting.sft_reduction,  # type: ignore[arg-type]
        sft_times_beta=setting.sft_times_beta,
        token_weight=setting.token_weight,
        pairs="chain" if setting.chain else "best_worst",
        learning_rate=setting.learning_rate,
        lr_scheduler_type="constant",
        warmup_ratio=0.0,
        pairs_per_update=setting.pairs_per_update,
        max_steps=setting.updates,
        seed=setting.seed,
        bf16=False,
        use_cpu=True,
        eval_steps=every,
        save_steps=0,
        reference_store=str(cache / "reference"),
    )
    task = Watched(config)
    train(config, task)
    names = sorted(task.tokens)
    steps = sorted({0, *range(every, setting.updates + 1, every), setting.updates})
    return {
        "steps": steps,
        "tokens": [task.tokens[name] for name in names],
        "logratios": [[seen[name] for name in names] for seen in task.evaluations],
    }


def pairs_of(setting: Setting) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows to train on, each of them once, and held-out rows."""
    count = setting.updates * setting.pairs_per_update
    if setting.pairs == "own":
        return _own_pairs(setting, count)
    kept = made(HELD_OUT_SEED, setting.held_out * setting.join)
    training = made(setting.seed, count * setting.join, without=kept)
    return _flipped(_rows(training, setting), setting), _rows(kept, setting)


def _own_pairs(setting: Setting, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """No prompt is in both parts; there are only so many."""
    answers = own()
    kept = answers[: setting.held_out]
    rest = [one for one in answers if one.prompt not in {other.prompt for other in kept}]
    training = random.Random(setting.seed).sample(rest, min(count, len(rest)))
    return [as_row(one, system="") for one in training], [as_row(one, system="") for one in kept]


def _rows(some: Sequence[Made], setting: Setting) -> list[dict[str, Any]]:
    joins = _joins(some, setting.join) if setting.join > 1 else iter(some)
    return [as_row(one, setting.pairs) for one in joins]


def _joins(some: Sequence[Made], join: int) -> Iterator[Made]:
    """One, then `join` in one, and so on; as many as there are pairs wanted."""
    for number in range(len(some) // join):
        several = some[number * join : (number + 1) * join]
        yield joined(several) if number % 2 else several[0]


def _flipped(rows: list[dict[str, Any]], setting: Setting) -> list[dict[str, Any]]:
    wrong = random.Random(setting.seed).sample(range(len(rows)), round(setting.flipped * len(rows)))
    for at in wrong:
        rows[at] |= {"chosen": rows[at]["rejected"], "rejected": rows[at]["chosen"]}
    return rows


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The flags that all claims share."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/claims"), help="finished runs")
    parser.add_argument("--plots", type=Path, help="folder for pictures; none without it")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--model", default=Setting.model)
    for name in ("updates", "pairs_per_update", "held_out"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Setting, name))
    parser.add_argument("--learning_rate", type=float, default=Setting.learning_rate)
    return parser


def numbers(text: str) -> list[float]:
    """Numbers with commas between them."""
    return [float(part) for part in text.split(",")]


def asked(args: argparse.Namespace, **changes: Any) -> Setting:
    """The setting that the flags describe, but for what a claim changes."""
    args.cache.mkdir(parents=True, exist_ok=True)
    names = ("model", "updates", "pairs_per_update", "held_out", "learning_rate")
    return Setting(**{name: getattr(args, name) for name in names} | changes)


def over_seeds(args: argparse.Namespace, **changes: Any) -> list[Curves]:
    """Curves of one setting under every seed."""
    setting = asked(args, **changes)
    return [curves(replace(setting, seed=seed), args.cache) for seed in range(args.seeds)]
