"""`--loss auto`: the loss that fits how good the chosen answers are beside the model's own.

The rule is that of Anchored Preference Optimization (D'Oosterlinck et al. 2024, §3.2): where chosen
answers beat what the model itself would say, `apo_zero` raises them; where the model says better
things already, `apo_down` pushes away from both; where neither is shown, `dpo`, with RPO's SFT term
unless the settings speak of one: it held chosen answers up on every seed (docs/claims.md, T8 and T19).
Who is better is asked of a judge, in both orders, or read from a column of scores. Of single labelled
answers the desirable ones are chosen, and the losses are those of single answers.

OUTPUT/auto/prompts.jsonl     prompts of the slice, with their chosen answers
OUTPUT/auto/winrate/          an ordinary run folder of the comparison
OUTPUT/auto/choice.json       what came of it; a second start finds it and asks nobody
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from judge.comparison.command import load_winrate, winrate
from judge.comparison.config import WinrateConfig
from judge.comparison.statistics import win_rates
from pairwright.errors import UsageError
from pairwright.figures.intervals import Interval, sign_test
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.inputs.labelled import LABEL, LabelledRow, are_labelled, read_labelled
from pairwright.inputs.pairs import PairRow, read_pairs
from pairwright.inputs.sources import open_source
from pairwright.records import Message, Record, content_hash, stored
from pairwright.schema import JUDGED_PAIR
from train.devices.processes import is_first, say
from train.models.language import model_identity
from train.output.folder import AUTO, check_folder
from train.preference.config import TrainConfig

SIGNIFICANT = 0.05
"""Most the sign test may leave to luck, besides the interval: few prompts show nothing."""
UNPAIRED_FORM = {"apo_zero": "apo_zero_unpaired", "dpo": "kto", "apo_down": "kto"}
"""What is trained on single answers. KTO sees them from where the policy has gone, and pushes both ways;
`apo_down` compares two answers and has no such form."""
SFT_TERM = {"sft_weight": 0.05, "sft_reduction": "sum", "sft_times_beta": True}
"""Beside `dpo`: chosen answers rose by 11 nats more than without it, and pairs were ranked as well."""
_SAMPLES = 1000
_WITH_TERM = (
    f"; trained with an SFT term of {SFT_TERM['sft_weight']} · beta a chosen token, without which chosen "
    "answers may sink (docs/claims.md, T8 and T19; --sft_weight 0 leaves it out)"
)


class Choice(Record):
    """A loss, and the evidence for it."""

    loss: Literal["apo_zero", "apo_down", "dpo"]
    asked: str
    """Hash of what was compared, by whom."""
    by: str
    prompts: int
    win_rate: Interval
    """Of chosen answers against the model's own; ties count half."""
    sign_test: float
    """Two-sided exact p-value of wins against losses."""
    mean_length_chosen: float | None = None
    """In characters."""
    mean_length_own: float | None = None
    sft_term: bool = False
    """Whether `SFT_TERM` goes with the loss; not in choices of before there was one."""

    @property
    def in_words(self) -> str:
        """The evidence, in one line."""
        rate = self.win_rate
        lengths = (
            ""
            if self.mean_length_chosen is None
            else f"; characters: {self.mean_length_chosen:.0f} against {self.mean_length_own:.0f}"
        )
        why = {
            "apo_zero": "chosen answers beat the model's own",
            "apo_down": "the model's own answers beat chosen ones",
            "dpo": "neither side is shown to be better",
        }[self.loss]
        return (
            f"loss {self.loss}: {why}. Chosen won {rate.value:.1%} of {self.prompts} prompts "
            f"(95 % {rate.low:.1%} – {rate.high:.1%}, sign test p = {self.sign_test:.2g}), "
            f"by {self.by}{lengths}"
        )


def with_loss(config: TrainConfig) -> TrainConfig:
    """Return the settings with a loss in place of `auto`, chosen once with the help of a judge.

    A preview or dry run asks nobody: there it is `dpo`, which costs the same. Raises `UsageError` for
    scores that cannot be read, and whatever a comparison raises.
    """
    if config.preview or config.dry_run:
        return _resolved(config, "kto" if are_labelled(config.sources) else "dpo")
    output = Path(config.output_dir)
    check_folder(config)
    asked = content_hash(
        [
            model_identity(config.model),
            [[row.row_id, row.chosen.content] for row in _slice(config)] if config.judge else config.data,
            [config.judge, config.score_column, config.limit, config.auto_prompts, config.seed],
        ]
    )
    choice = None if config.fresh and is_first() else _known(config, output, asked)
    if choice is None:
        choice = _decide(config, output, asked) if is_first() else _awaited(config, output, asked)
    single = are_labelled(config.sources)
    term = choice.sft_term and not single and not SFT_TERM.keys() & config.model_fields_set
    if is_first():
        say(choice.in_words + (_WITH_TERM if term else ""))
    if not single:
        return _resolved(config, choice.loss, **SFT_TERM if term else {})
    if is_first():
        say(f"{UNPAIRED_FORM[choice.loss]} is trained: the form of {choice.loss} for single answers")
    return _resolved(config, UNPAIRED_FORM[choice.loss])


def choose(win_rate: Interval, p: float) -> Literal["apo_zero", "apo_down", "dpo"]:
    """Return the loss for a win rate of chosen answers against the model's own."""
    if p > SIGNIFICANT:
        return "dpo"
    if win_rate.low > 0.5:
        return "apo_zero"
    return "apo_down" if win_rate.high < 0.5 else "dpo"


def _decide(config: TrainConfig, output: Path, asked: str) -> Choice:
    found = _by_judge(config, output / AUTO) if config.judge else _by_scores(config)
    loss = choose(found["win_rate"], found["sign_test"])
    choice = Choice(loss=loss, asked=asked, sft_term=loss == "dpo", **found)
    (output / AUTO).mkdir(parents=True, exist_ok=True)
    write_durably(_file(output), (choice.model_dump_json(indent=1) + "\n").encode())
    return choice


def _by_judge(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """A comparison of chosen answers with samples of the model, at temperature 1."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {n: value for n, value in row.columns.items() if n not in JUDGED_PAIR.names}
        | {"prompt": stored(row.prompt), "chosen": row.chosen.content}
        for row in _slice(config)
    ]
    prompts = folder / "prompts.jsonl"
    write_durably(prompts, "".join(json.dumps(line, default=str) + "\n" for line in lines).encode())
    out = folder / "winrate"
    winrate(
        WinrateConfig(
            a=f"{prompts}:chosen",
            b=f"hf:{config.model}",
            prompts=str(prompts),
            judge=config.judge,
            out=str(out),
            max_tokens=min(512, config.max_length // 2),
            temperature=1.0,
            seed=config.seed,
            fresh=config.fresh and out.exists(),
        )
    )
    found = load_winrate(out)
    return {
        "by": config.judge,
        "prompts": found.decided,
        "win_rate": found.win_rate,
        "sign_test": found.sign_test,
        "mean_length_chosen": found.mean_length_a,
        "mean_length_own": found.mean_length_b,
    }


def _by_scores(config: TrainConfig) -> dict[str, Any]:
    """Every row says by how much its chosen answer beats the model's own."""
    name, points = config.score_column or "", []
    single = are_labelled(config.sources)
    for source in config.sources:
        for where, record in open_source(source):
            if single and not record.get(LABEL):
                continue
            score = record.get(name)
            if isinstance(score, bool) or not isinstance(score, int | float) or not np.isfinite(score):
                raise UsageError(
                    f"{where}: `{name}` must be a number, how much better the chosen answer is than the "
                    f"model's own, and is {score!r}"
                )
            points.append((np.sign(score) + 1) / 2)
    if not points:
        raise UsageError(f"{', '.join(config.data)}: no rows in it, so no `{name}` tells which loss fits")
    given = np.array(points[: config.limit], dtype=np.float64)
    raw, _ = win_rates(given, np.zeros_like(given), _SAMPLES, config.seed)
    p = sign_test(int((given == 1).sum()), int((given == 0).sum()))
    return {"by": f"the column `{name}`", "prompts": len(given), "win_rate": raw, "sign_test": p}


def _slice(config: TrainConfig) -> list[PairRow]:
    """Pairs of `auto_prompts` different prompts, in an order drawn by the seed and all of their text.

    Not by `prompt_hash`: it would draw others, and ask a judge again in folders that have a choice.
    """
    first: dict[str, PairRow] = {}
    rows = (
        _desirable(config)
        if are_labelled(config.sources)
        else read_pairs(config.sources, config.limit, skip=config.skip_bad_rows, thoughts=True)
    )
    for row in rows:
        if row.problem is not None:
            continue
        first.setdefault(content_hash([config.seed, [m.model_dump() for m in row.prompt]]), row)
    return [first[key] for key in sorted(first)[: config.auto_prompts]]


def _desirable(config: TrainConfig) -> Iterator[PairRow]:
    """Desirable answers as chosen ones, beside nothing."""
    for row in read_labelled(config.sources, config.limit, config.skip_bad_rows):
        if isinstance(row, LabelledRow) and row.label:
            nothing = Message(role="assistant", content="")
            yield PairRow(row.row_id, row.prompt, row.answer, nothing, columns=row.columns)


def _known(config: TrainConfig, output: Path, asked: str) -> Choice | None:
    """What an earlier start decided, if it asked the same and, where scores decide, they are the same."""
    choice = read_record(_file(output), Choice, "delete it, and the judge is asked again")
    if choice is None or choice.asked != asked:
        return None
    found = {} if config.judge else _by_scores(config)
    return choice if all(getattr(choice, name) == value for name, value in found.items()) else None


def _awaited(config: TrainConfig, output: Path, asked: str) -> Choice:
    """What the first process decides. If it fails, the launcher ends this one."""
    while (choice := _known(config, output, asked)) is None:
        time.sleep(1)
    return choice


def _file(output: Path) -> Path:
    return output / AUTO / "choice.json"


def _resolved(config: TrainConfig, loss: str, **others: Any) -> TrainConfig:
    """The settings as if that loss, and the others, had been named."""
    return TrainConfig(**config.model_dump() | {"loss": loss} | others)
