"""The folder that the tables of the proof share, and the commands that fill it. Resumable."""

import argparse
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from arms import PAIRS, Arm
from instructions import prompts

from pairwright.cli import run_command
from pairwright.folders.shards import read_tables

HERE = Path(__file__).resolve().parent


class Bench:
    """The folder of all tables, and the steps that fill it."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._runs: Path = given.runs.resolve()
        self._work = f"--dtype {given.dtype}"
        self._policy = f"{given.engine}:{given.model}"

    def pairs(self, kind: str) -> Path:
        """The folder of one kind of pairs, made where it is not there."""
        given, folder = self._given, self._runs / "pairs" / kind
        source, engine = (
            ("other_answers", given.other) if kind == "off_policy" else ("answers", self._policy)
        )
        command = PAIRS[kind].format(
            answers=shlex.quote(str(self._answers(source, engine))),
            repairs=shlex.quote(str(HERE / "instructions" / "repairs.py")),
            policy=self._policy,
            other=given.other,
            max_tokens=given.max_tokens,
        )
        self._run(f"{command} {self._work}", "--out", folder)
        return folder

    def trained(self, arm: Arm, count: int, seed: int) -> Path:
        """The folder of an arm under one seed: its model, and its evaluations."""
        given, folder = self._given, self._runs / "arms" / f"{arm.name}-{count}" / f"seed-{seed}"
        data = ",".join(str(part) for part in self._parts(arm, count))
        self._run(
            f"train --model {shlex.quote(given.model)} {arm.training} --seed {seed}",
            *("--data", data, "--output_dir", folder / "model"),
        )
        held_out = self._prompts() / "held_out.jsonl"
        for name, source in (("ifeval", given.ifeval.resolve()), ("held_out", held_out)):
            self._evaluate(f"{given.engine}:{folder / 'model'}", source, folder / name)
        return folder

    def _parts(self, arm: Arm, count: int) -> Iterator[Path]:
        """`count` pairs in all, equally many of each kind."""
        for kind in arm.pairs:
            part = self._runs / "parts" / f"{kind}-{count // len(arm.pairs)}.parquet"
            if not part.is_file():
                write_first(self.pairs(kind), count // len(arm.pairs), part)
            yield part

    def _prompts(self) -> Path:
        folder = self._runs / "prompts"
        if not (folder / "held_out.jsonl").is_file():
            prompts.write(folder)
        return folder

    def _answers(self, name: str, engine: str) -> Path:
        given = self._given
        limit = f"--limit {given.limit}" if given.limit else ""
        self._run(
            f"sample --policy {engine} --n {given.n} --temperature 0.7 --max_tokens {given.max_tokens}"
            f" {limit} {self._work}",
            *("--input", self._prompts() / "train.jsonl", "--out", self._runs / name),
        )
        return self._runs / name

    def _evaluate(self, model: str, source: Path, folder: Path) -> None:
        """Measure a model beside the untrained one, whose greedy answers a journal brings."""
        first = self._runs / f"untrained_{folder.name}"
        limit = f"--limit {self._given.limit}" if self._given.limit else ""
        command = f"eval --verify check:ifeval --max_tokens {self._given.eval_tokens} {limit} {self._work}"
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


def write_first(folder: Path, count: int, part: Path) -> None:
    """Write the first pairs of a run as Parquet."""
    table = pa.concat_tables(t.replace_schema_metadata() for t in read_tables(folder))
    part.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.select(["prompt", "chosen", "rejected"]).slice(0, count), part)


def kept(folder: Path) -> int:
    """Pairs of a run, mirrored ones included."""
    return sum(table.num_rows for table in read_tables(folder))
