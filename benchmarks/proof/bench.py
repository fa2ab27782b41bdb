"""The folder that the tables of the proof share, and the commands that fill it. Resumable."""

import argparse
import json
import random
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from arms import LOSSES, PAIRS, Arm
from good import GOOD, GOOD_ANSWERS, likelihood
from grounds import Evaluation, Ground
from instructions import prompts, shorten
from played import REWARD, Played, write_game

from pairwright.cli import run_command
from pairwright.folders.shards import read_tables


class Bench:
    """The folder of all tables of one ground, and the steps that fill it."""

    def __init__(self, given: argparse.Namespace, ground: Ground) -> None:
        self._given, self._ground = given, ground
        self._runs: Path = given.runs.resolve()
        self._work = f"--dtype {given.dtype} {given.settings}"
        self._answering = f"{self._work} {given.engine_settings}"
        self._policy = f"{given.engine}:{given.model}"

    def pairs(self, kind: str, order: str = "") -> Path:
        """The folder of one kind of pairs, made where it is not there; `order` of `select`."""
        given, ground, folder = self._given, self._ground, self._runs / "pairs" / kind
        command = PAIRS[kind]
        answers = {name: self._answers(name) for name in _ANSWERS if f"{{{name}}}" in command}
        command = command.format(
            **answers,
            plain="plain" if ground.short else "prompt",
            repair=shlex.quote(ground.repair),
            verify=shlex.quote(ground.verify),
            policy=self._policy,
            other=given.other,
            max_tokens=given.max_tokens or 64,
        )
        work = self._answering if self._policy in command else self._work
        self._run(f"{command} {work}", "--out", folder)
        if not order:
            return folder
        ordered = folder.with_name(f"{kind}-{order.replace(':', '-')}")
        self._run(f"select {folder} --model {shlex.quote(given.model)} --order_by {order} --out {ordered}")
        return ordered

    def trained(self, arm: Arm, count: int, seed: int) -> Path:
        """The folder of an arm under one seed: its model, and its evaluations."""
        given, folder = self._given, self.folder(arm, count, seed)
        if self.has_all(folder):
            return folder
        data = ",".join(str(part) for part in self._parts(arm, count, seed))
        training = _replaced(arm.training or self._ground.training, given.training)
        training += f" --merge_scale {arm.merged}" if arm.merged != 1 else ""
        self._run(
            f"train --model {shlex.quote(given.model)} {LOSSES[arm.loss]} {training} --seed {seed}",
            *("--data", data, "--output_dir", folder / "model"),
        )
        return self._looked_at(folder, "model")

    def played(self, arm: Played, seed: int) -> Path:
        """The folder of an arm of rounds under one seed: all rounds, and evaluations of the last."""
        given, ground, folder = self._given, self._ground, self.folder(arm, 0, seed)
        if self.has_all(folder):
            return folder
        command = arm.command.format(
            repair=shlex.quote(ground.repair),
            verify=shlex.quote(ground.verify),
            plain="plain",
            train=shlex.quote(self._file(ground.train)),
            reward_seed=FIRST_SEED + 100 * seed,
            **self._game(arm),
        )
        first = ground.evaluations[0]
        limit = f"--limit {given.limit} --eval_limit {given.limit}" if given.limit else ""
        self._run(
            f"{_replaced(command, limit)} --model {shlex.quote(given.model)}"
            f" {_within('sample', self._answering)} {_within('sample', ground.sampling)}"
            f" --sample.policy {given.engine}"
            f" {_within('train', given.training)} --train.seed {seed}"
            f" --eval.verify {shlex.quote(first.verify)} {_within('eval', first.settings)}",
            *("--eval_prompts", self._file(first.prompts), "--output_dir", folder / "played"),
        )
        return self._looked_at(folder, arm.model)

    def _game(self, arm: Played) -> dict[str, str]:
        """The folder of what a game learns from, and the reward model that measures all games alike."""
        if "{game}" not in arm.command:
            return {}
        folder = self._runs / "game"
        evaluator, human = folder / "evaluator", folder / "human.parquet"
        if not human.is_file():
            pairs = read(self.pairs("mirrored_plain")).to_pylist()
            write_game(pairs, Path(self._file(self._ground.train)), folder)
        if not (evaluator / "reward.json").is_file():
            train = f"reward --model {shlex.quote(self._given.model)} {REWARD} --seed {FIRST_SEED + 1}"
            self._run(train, "--data", human, "--output_dir", evaluator)
        return {"game": shlex.quote(str(folder)), "evaluator": shlex.quote(str(evaluator))}

    def folder(self, arm: Arm | Played, count: int, seed: int) -> Path:
        """Where an arm of so many pairs lies under a seed; rounds make their own pairs."""
        return self._runs / "arms" / f"{arm.name}{f'-{count}' if count else ''}" / f"seed-{seed}"

    def has_all(self, folder: Path) -> bool:
        """Whether an arm was measured; then its weights may be gone."""
        if self._given.good and not (folder / GOOD).is_file() and any(folder.rglob("*.safetensors")):
            return False
        return all((folder / e.name / "evaluation.json").is_file() for e in self._ground.evaluations)

    def _looked_at(self, folder: Path, model: str) -> Path:
        """The folder of an arm, its model measured, and its weights gone unless they are kept."""
        given = self._given
        for evaluation in self._ground.evaluations:
            self._evaluate(f"{given.engine}:{folder / model}", evaluation, folder / evaluation.name)
        for file, name in ((self._runs / GOOD, given.model), (folder / GOOD, str(folder / model))):
            if given.good and not file.is_file():
                file.write_text(json.dumps(likelihood(name, given.good, GOOD_ANSWERS)))
        if not given.keep_models:
            for weights in folder.rglob("*.safetensors"):
                weights.unlink()
        return folder

    def most(self, arm: Arm) -> int:
        """How many pairs an arm can train on."""
        return min(int(usable(arm, self.pairs(kind)).num_rows / share) for kind, share in arm.mixed.items())

    def _parts(self, arm: Arm, count: int, seed: int) -> Iterator[Path]:
        """`count` pairs in all: of a part of an order, or the first ones under seed 0, others drawn."""
        alone = arm.loss == "sft"
        for kind, share in arm.mixed.items():
            pairs, size = self.pairs(kind, arm.order), round(count * share)
            taken = {"": f"-seed-{seed}", "middle": "-middle"}.get(arm.end, "")
            part = self._runs / "parts" / f"{pairs.name}-{size}{taken}{'-chosen' if alone else ''}"
            part = part.with_name(f"{part.name}{'-unquoted' if arm.unquoted else ''}.parquet")
            if not part.is_file():
                table = at_end(arm, usable(arm, pairs), size)
                if seed and not arm.end:
                    table = table.take(random.Random(seed).sample(range(table.num_rows), size))
                write_first(table, size, part, alone=alone)
            yield part

    def selected(self, arm: Arm, count: int) -> pa.Table:
        """The pairs of an arm of one part of an order, with all that is known of them."""
        return at_end(arm, read(self.pairs(arm.pairs[0], arm.order)), count).slice(0, count)

    def _file(self, name: str) -> str:
        """A file of the ground, with the prompts that are made for it."""
        made = self._runs / "prompts"
        if "{prompts}" in name and not (made / "held_out.jsonl").is_file():
            prompts.write(made)
        return name.format(prompts=made, ifeval=self._given.ifeval and self._given.ifeval.resolve())

    def _answers(self, name: str) -> str:
        """Sampled answers, as a command names them."""
        given, folder = self._given, self._runs / name
        cut = folder.with_name("bare_short.jsonl")
        if name == "bare" and self._ground.short and cut.is_file():
            return shlex.quote(str(cut))
        most = given.limit or (None if name == "bare" else self._ground.asked_limit)
        limit = f"--limit {most}" if most else ""
        asking = _ANSWERS[name].format(n=given.n, temperature=self._ground.temperature)
        engine = given.other if name == "other_asked" else self._policy
        source = self._file(self._ground.once if name == "bare" else self._ground.train)
        self._run(
            f"sample --policy {engine} {asking} {self._ground.sampling} {limit} {self._answering}",
            *("--input", source, "--out", folder),
        )
        if name != "bare":
            return shlex.quote(str(folder))
        if not self._ground.short:
            return f"{shlex.quote(str(folder))} --prompt_column input_prompt"
        shorten.write(Path(self._file(self._ground.train)), folder, cut)
        return shlex.quote(str(cut))

    def untrained(self, name: str) -> Path:
        """The evaluation of the model as it was."""
        return self._runs / f"untrained_{name}"

    def _evaluate(self, model: str, evaluation: Evaluation, folder: Path) -> None:
        """Measure a model, and once the untrained one."""
        settings = evaluation.settings.format(eval_tokens=self._given.eval_tokens)
        limit = f"--limit {self._given.limit}" if self._given.limit else ""
        command = f"eval --verify {shlex.quote(evaluation.verify)} {settings} {limit} {self._answering}"
        source = self._file(evaluation.prompts)
        for who, where in ((self._policy, self.untrained(evaluation.name)), (model, folder)):
            if not (where / "evaluation.json").is_file():
                self._run(f"{command} {who}", "--prompts", source, "--out", where)

    def _run(self, command: str, *more: object) -> None:
        words = [*shlex.split(command), *map(str, more)]
        print("$ pairwright", shlex.join(words), flush=True)
        run_command(words)


FIRST_SEED = 42
"""Of reward models: the seed of the one that measures is the next, and those of players are far from it."""

_ANSWERS = {
    "bare": "--prompt_column plain --n 1 --temperature 0.7",
    "asked": "--n {n} --temperature {temperature}",
    "other_asked": "--n {n} --temperature {temperature}",
}
"""How answers are sampled: one to the task without its request, or several to the whole prompt."""


def _within(section: str, settings: str) -> str:
    """Settings of a command as those of a section."""
    return re.sub(r"(^|\s)--(no_)?", rf"\1--{section}.\2", settings)


def _replaced(settings: str, others: str) -> str:
    """Settings, with others in place of those of the same name."""
    kept = re.split(r"\s+(?=--)", settings.strip())
    named = set(re.findall(r"--\w+", others))
    return " ".join([*(setting for setting in kept if setting.split()[0] not in named), others])


def read(pairs: Path) -> pa.Table:
    """Pairs of a run, or of a file."""
    if pairs.is_file():
        return pq.read_table(pairs)
    return pa.concat_tables(t.replace_schema_metadata() for t in read_tables(pairs))


def usable(arm: Arm, pairs: Path) -> pa.Table:
    """Pairs of a run, or of a file, that an arm may train on."""
    table = read(pairs)
    if not arm.unquoted:
        return table
    opens = [said[-1]["content"].lstrip().startswith('"') for said in table["chosen"].to_pylist()]
    return table.filter(pa.array([not one for one in opens]))


def at_end(arm: Arm, table: pa.Table, count: int) -> pa.Table:
    """Pairs from where the arm's part of their order begins."""
    return table.slice((table.num_rows - count) // 2) if arm.end == "middle" else table


def write_first(table: pa.Table, count: int, part: Path, *, alone: bool) -> None:
    """Write the first pairs as Parquet; `alone`: their chosen answers, as scored ones."""
    part.parent.mkdir(parents=True, exist_ok=True)
    first = table.select(["prompt", "chosen", "rejected"]).slice(0, count)
    if alone:
        first = first.rename_columns(["prompt", "completion", "rejected"]).drop_columns("rejected")
        first = first.append_column("score", pa.array([1.0] * first.num_rows))
    pq.write_table(first, part)
