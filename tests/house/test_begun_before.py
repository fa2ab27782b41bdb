"""Work that the version before began and did not finish goes on, and ends as it would have ended there.

`tests/golden/begun/make_begun.py` tells how the folders were made and where each was cut short.
"""

import json
import re
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from frozen import bit_for_bit, content, difference
from in_process import run

GOLDEN = Path(__file__).parents[1] / "golden"
torch.set_num_threads(1)

_CPU = "--use_cpu --no_bf16 --micro_batch_tokens 1024"


def _in_section(name: str) -> str:
    return re.sub("--(?=[a-z])", f"--{name}.", _CPU)


CONTINUED = {
    "revise": "revise inputs/answers.jsonl --reviser canned:inputs/reviser.jsonl --shard_size 8 --out run",
    "train": "train --model inputs/blank --data inputs/pairs.jsonl --loss dpo --learning_rate 3e-3 "
    "--max_steps 4 --pairs_per_update 4 --eval_share 0.2 --save_steps 1 --reference_store refs "
    f"--output_dir run {_CPU}",
    "loop": "loop --model inputs/start --prompts inputs/prompts.jsonl --pairs both --rounds 2 "
    "--sample.n 3 --sample.max_tokens 12 --sample.batch_size 64 "
    "--judge.judge reward:inputs/taste --judge.min_margin 0 --judge.batch_size 64 "
    "--revise.reviser canned:inputs/reviser.jsonl --revise.reply bare --revise.min_kept_share 0 "
    "--revise.max_edit_distance 1 --revise.batch_size 64 --eval_prompt_share 0.3 --eval_temperature 1 "
    "--stop_win_rate 1 "
    "--train.loss dpo --train.beta 0.2 --train.learning_rate 3e-3 --train.pairs_per_update 8 "
    f"--train.max_length 64 --train.save_steps 0 --output_dir run {_in_section('train')}",
    "game": "game --model inputs/start --rm_prompts inputs/golden.jsonl --llm_prompts inputs/prompts.jsonl "
    "--human inputs/human.jsonl --rounds 2 --sample.n 3 --sample.max_tokens 12 --sample.temperature 1 "
    "--sample.batch_size 64 --score.batch_size 64 --winrate.batch_size 64 "
    "--winrate.judge reward:inputs/taste "
    "--reward.learning_rate 3e-3 --reward.pairs_per_update 8 --reward.apo_coeff 2 --reward.save_steps 1 "
    "--train.learning_rate 4e-3,2e-3 --train.pairs_per_update 4 --train.save_steps 1 "
    f"--output_dir run {_in_section('train')} {_in_section('reward')}",
}
"""The commands that go on. Where flags get other names, these do; the folders stay as they are."""

_DRAWN = ("round-2/samples", "round-2/scores", "round-2/winrate", "table.jsonl")
"""What is made of answers of the last model."""


class Begun(NamedTuple):
    """A folder that was begun, put elsewhere."""

    folder: Path
    whole: dict[str, Any]
    """What the version before made of it when it was not cut short."""

    def finished(self, *patterns: str) -> dict[str, tuple[int, int, int]]:
        """Files that nothing may write again, by name: their identity on the disk."""
        found = {p for pattern in patterns for p in self.folder.glob(pattern) if p.is_file()}
        assert found
        return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(found)}

    def goes_on(self, capfd: pytest.CaptureFixture[str], command: str) -> str:
        """Run the command that goes on; returns what it said."""
        code, _, said = run(capfd, *command.split())
        assert code == 0, said
        return said

    def ends_as_before(self, trained: str = "", *then: str) -> None:
        """The content is that of an uncut run of the version before.

        What is computed is close. Where the weights in `trained` are not the same to the bit, other
        answers are drawn from them, so files that begin with one of `then` may tell something else.
        """
        now = json.loads(json.dumps(content(self.folder / "run")))
        for values in (now, self.whole):
            _forget_bytes_of_shards(values)
        assert now.keys() == self.whole.keys()
        weights = f"{trained}/model.safetensors"
        same = bit_for_bit() or not trained or now[weights] == self.whole[weights]
        names = [name for name in now if same or not name.startswith(then)]
        part = [{name: values[name] for name in names} for values in (now, self.whole)]
        assert difference(*part, exact=bit_for_bit()) is None


def _forget_bytes_of_shards(values: dict[str, Any]) -> None:
    """Shards have more columns now, so a run that reads one has an input of another hash."""
    for name, record in values.items():
        if name.endswith("run.json"):
            record["input"]["sha256"] = record["fingerprint"] = ""
            read = [key for key in record["semantic"] if key == "input" or key.endswith("answers model")]
            record["semantic"] |= dict.fromkeys(read, "")
        if name.endswith("winrate.json"):  # what is measured since
            for later in ("agreement", "corrected"):
                record.pop(later, None)
        if name.endswith(("run.json", "stats.json")):
            record["engines"] = {role: model for role, model in record["engines"].items() if ":" in model}


def begun(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Begun:
    with tarfile.open(GOLDEN / "begun" / f"{name}.tar.xz") as tar:
        # Python before 3.11.4 knows no filters, and Debian has 3.11.2.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)
    monkeypatch.chdir(folder)
    return Begun(folder, json.loads((folder / "whole.json").read_text()))


def test_a_revision_keeps_shards_and_every_completion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Completions from before say that they took 1000 tokens to ask; none of them was asked again."""
    own = begun("revise", tmp_path, monkeypatch)
    # A copy: whoever closes a journal tidies it, and here it is to be found as the kill left it.
    copied = shutil.copytree(own.folder / "run", own.folder / "copied")
    with closing(sqlite3.connect(copied / "journal.sqlite")) as journal:
        answered = journal.execute("SELECT COUNT(*) FROM completions").fetchone()[0]
    shards = own.finished("run/d*/*.parquet")
    own.goes_on(capfd, CONTINUED["revise"])
    assert own.finished(*(str(Path(name).relative_to(own.folder)) for name in shards)) == shards
    now = content(own.folder / "run")
    tokens = sum(row["prompt_tokens"] for row in _rows(now))
    assert tokens == 1000 * answered
    assert len(shards) == 6
    assert answered > 3 * 8
    assert len(_rows(now)) == 40
    for values in (now, own.whole):
        values["stats.json"].pop("cost")
        for row in (*_rows(values), *values["run.json"]["shards"].values()):
            row["prompt_tokens"] = 0
    assert difference(json.loads(json.dumps(now)), own.whole) is None


def _rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for name, table in values.items() if name.endswith(".parquet") for row in table["rows"]]


def test_a_training_goes_on_after_its_last_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    own = begun("train", tmp_path, monkeypatch)
    kept = own.finished("run/checkpoint-3/*", "refs/*/*")
    said = own.goes_on(capfd, CONTINUED["train"])
    abouts = [json.loads(path.read_text()) for path in own.folder.glob("refs/*/about.json")]
    torches = {about["torch"] for about in abouts} | {torch.__version__}
    assert len(abouts) == len(torches), f"another reference than before: {abouts}"
    assert own.finished("run/checkpoint-3/*", "refs/*/*").items() >= kept.items(), said
    assert "update 4/4" in said
    assert "update 3/4" not in said
    own.ends_as_before()


def test_a_loop_goes_on_within_its_second_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was cut short when answers had been judged, before any was revised."""
    own = begun("loop", tmp_path, monkeypatch)
    done = ("run/round-[01]/measures.json", "run/round-1/model/*.safetensors", "run/round-*/*/data/*")
    kept = own.finished(*done)
    said = own.goes_on(capfd, CONTINUED["loop"])
    assert own.finished(*done).items() >= kept.items()
    assert "round 2 of 2" in said
    assert "round 1 of 2" not in said
    own.ends_as_before("round-2/model", *_DRAWN, "round-2/answers.jsonl")


def test_a_game_goes_on_within_a_training_of_its_second_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was cut short after three of eight updates of the second reward model."""
    own = begun("game", tmp_path, monkeypatch)
    done = (
        "run/round-[01]/measures.json",
        "run/round-1/*/*.safetensors",
        "run/evaluator/*.safetensors",
        "run/round-*/*/data/*",
    )
    kept = own.finished(*done)
    said = own.goes_on(capfd, CONTINUED["game"])
    assert own.finished(*done).items() >= kept.items()
    assert "round 2 of 2" in said
    assert "round 1 of 2" not in said
    assert "update 4/8" in said
    assert "update 3/8" not in said
    own.ends_as_before("round-2/llm", *_DRAWN, "round-2/scored", "round-2/llm/")


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("loop", "--train.beta 0.3", "`train.beta` was 0.2 and is now 0.3"),
        ("loop", "--revise.retry --revise.min_length_ratio 0.9", "`revise.min_length_ratio` was 0.7"),
        ("loop", "--winrate.aspects style:1", "`winrate.aspects` was"),
        ("game", "--reward.apo_coeff 1", "`reward.apo_coeff` was 2.0 and is now 1.0"),
        ("game", "--train.sft_weight 0.5", "`train.sft_weight` was 1.0 and is now 0.5"),
        (
            "game",
            "--winrate.judge canned:inputs/reviser.jsonl",
            "`win judge model` was 'reward:inputs",
        ),
    ],
)
def test_other_settings_are_refused_by_the_names_of_today(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    changed: str,
    told: str,
) -> None:
    begun(name, tmp_path, monkeypatch)
    given = [flag for flag in changed.split() if flag.startswith("--")]
    kept = re.sub(rf"(?:{'|'.join(map(re.escape, given))}) \S+ ", "", CONTINUED[name])
    code, _, said = run(capfd, *kept.split(), *changed.split())
    assert code == 2
    assert f"run: belongs to a {name} with other settings: {told}" in said
