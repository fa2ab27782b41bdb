"""The folder that the tables of the proof share, and the commands that fill it. Resumable."""

import argparse
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import crossing
import pyarrow as pa
import pyarrow.parquet as pq
from arms import LOSSES, PAIRS, Arm
from grounds import Evaluation, Ground
from instructions import prompts, shorten

from pairwright.cli import run_command
from pairwright.folders.shards import read_tables


class Bench:
    """The folder of all tables of one ground, and the steps that fill it."""

    def __init__(self, given: argparse.Namespace, ground: Ground) -> None:
        self._given, self._ground = given, ground
        self._runs: Path = given.runs.resolve()
        self._work = f"--dtype {given.dtype} {given.settings}"
        self._policy = f"{given.engine}:{given.model}"

    def pairs(self, kind: str, chosen_by: str = "") -> Path:
        """The folder of one kind of pairs, made where it is not there; `chosen_by`: in that order."""
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
        if kind == "crossed":
            return self._crossed(self.pairs("verified"), folder.with_suffix(".parquet"))
        self._run(f"{command} {self._work}", "--out", folder)
        if not chosen_by:
            return folder
        ordered = folder.with_name(f"{kind}-{chosen_by.removeprefix('--order_by ').replace(':', '-')}")
        self._run(f"select {folder} --model {shlex.quote(given.model)} {chosen_by} --out {ordered}")
        return ordered

    def _crossed(self, verified: Path, file: Path) -> Path:
        if not file.is_file():
            crossing.write(verified, file, *self._ground.functions())
        return file

    def trained(self, arm: Arm, count: int, seed: int) -> Path:
        """The folder of an arm under one seed: its model, and its evaluations."""
        given, folder = self._given, self._runs / "arms" / f"{arm.name}-{count}" / f"seed-{seed}"
        if all((folder / e.name / "evaluation.json").is_file() for e in self._ground.evaluations):
            return folder  # its weights may be gone
        data = ",".join(str(part) for part in self._parts(arm, count))
        self._run(
            f"train --model {shlex.quote(given.model)} {LOSSES[arm.loss]} {self._ground.training}"
            f" {given.training} --seed {seed}",
            *("--data", data, "--output_dir", folder / "model"),
        )
        for evaluation in self._ground.evaluations:
            self._evaluate(f"{given.engine}:{folder / 'model'}", evaluation, folder / evaluation.name)
        if not given.keep_models:
            for weights in (folder / "model").glob("*.safetensors"):
                weights.unlink()
        return folder

    def _parts(self, arm: Arm, count: int) -> Iterator[Path]:
        """`count` pairs in all, equally many of each kind."""
        for kind in arm.pairs:
            pairs = self.pairs(kind, arm.chosen_by)
            share, alone = count // len(arm.pairs), arm.loss == "sft"
            part = self._runs / "parts" / f"{pairs.name}-{share}{'-chosen' if alone else ''}.parquet"
            if not part.is_file():
                write_first(read(pairs), share, part, alone=alone)
            yield part

    def _file(self, name: str) -> str:
        """A file of the ground, with the prompts that are made for it."""
        made = self._runs / "prompts"
        if "{prompts}" in name and not (made / "held_out.jsonl").is_file():
            prompts.write(made)
        return name.format(prompts=made, ifeval=self._given.ifeval and self._given.ifeval.resolve())

    def _answers(self, name: str) -> str:
        """Sampled answers, as a command names them."""
        given, folder = self._given, self._runs / name
        limit = f"--limit {given.limit}" if given.limit else ""
        engine = given.other if name == "other_asked" else self._policy
        source = self._file(self._ground.once if name == "bare" else self._ground.train)
        self._run(
            f"sample --policy {engine} {_ANSWERS[name].format(n=given.n)} {self._ground.sampling}"
            f" {limit} {self._work}",
            *("--input", source, "--out", folder),
        )
        if name != "bare":
            return shlex.quote(str(folder))
        if not self._ground.short:
            return f"{shlex.quote(str(folder))} --prompt_column input_prompt"
        file = folder.with_name("bare_short.jsonl")
        if not file.is_file():
            shorten.write(Path(self._file(self._ground.train)), folder, file)
        return shlex.quote(str(file))

    def _evaluate(self, model: str, evaluation: Evaluation, folder: Path) -> None:
        """Measure a model beside the untrained one, whose greedy answers a journal brings."""
        first = self._runs / f"untrained_{folder.name}"
        settings = evaluation.settings.format(eval_tokens=self._given.eval_tokens)
        limit = f"--limit {self._given.limit}" if self._given.limit else ""
        command = f"eval --verify {shlex.quote(evaluation.verify)} {settings} {limit} {self._work}"
        source = self._file(evaluation.prompts)
        self._run(f"{command} {self._policy}", "--prompts", source, "--out", first)
        journal = first / "journal.sqlite"
        if journal.is_file() and not folder.exists():
            folder.mkdir(parents=True)
            shutil.copy(journal, folder)
        self._run(f"{command} {self._policy},{model}", "--prompts", source, "--out", folder)

    def _run(self, command: str, *more: object) -> None:
        words = [*shlex.split(command), *map(str, more)]
        print("$ pairwright", shlex.join(words), flush=True)
        run_command(words)


_ANSWERS = {
    "bare": "--prompt_column plain --n 1 --temperature 0.7",
    "asked": "--n {n} --temperature 0.7",
    "other_asked": "--n {n} --temperature 0.7",
}
"""How answers are sampled: one to the task without its request, or several to the whole prompt."""


def read(pairs: Path) -> pa.Table:
    """Pairs of a run, or of a file."""
    if pairs.is_file():
        return pq.read_table(pairs)
    return pa.concat_tables(t.replace_schema_metadata() for t in read_tables(pairs))


def write_first(table: pa.Table, count: int, part: Path, *, alone: bool) -> None:
    """Write the first pairs as Parquet; `alone`: their chosen answers, as scored ones."""
    part.parent.mkdir(parents=True, exist_ok=True)
    first = table.select(["prompt", "chosen", "rejected"]).slice(0, count)
    if alone:
        first = first.rename_columns(["prompt", "completion", "rejected"]).drop_columns("rejected")
        first = first.append_column("score", pa.array([1.0] * first.num_rows))
    pq.write_table(first, part)


def kept(pairs: Path) -> int:
    """Pairs of a run, mirrored ones included, or of a file."""
    return read(pairs).num_rows
