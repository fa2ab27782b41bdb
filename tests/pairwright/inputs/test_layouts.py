"""What a folder is: one run, one split of one data set, or something that is refused by name."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from runs_on_disk import revise_config

from pairwright.errors import UsageError
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.sources import open_source
from pairwright.sift.split import SplitConfig, split
from revise import revise


def put(path: Path, *prompts: str, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {"prompt": list(prompts), "chosen": ["c"] * len(prompts), "rejected": ["r"] * len(prompts)}
    pq.write_table(pa.table(rows | columns), path)
    return path


def prompts(name: Path | str) -> list[str]:
    return [record["prompt"] for _, record in open_source(str(name))]


def refusal(name: Path | str) -> str:
    with pytest.raises(UsageError) as refused:
        open_source(str(name))
    return str(refused.value)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("train.parquet", "test.parquet"),
        ("my_train_set.parquet", "my_eval_set.parquet"),
        ("train/0000.parquet", "test/0000.parquet"),
        ("data/training/a.parquet", "data/testing/a.parquet"),
    ],
)
def test_a_split_is_asked_for_by_name(tmp_path: Path, train: str, test: str) -> None:
    clone = tmp_path / "clone"
    put(clone / train, "one", "two")
    put(clone / test, "held out")
    (clone / "README.md").write_text("# A data set\n")
    assert "has the splits" in refusal(clone)
    assert f"{clone}:train" in refusal(clone)
    for name in (f"{clone}:train", clone / "train"):
        assert prompts(name) == ["one", "two"]
    for name in (f"{clone}:test", clone / "test"):
        assert prompts(name) == ["held out"]
    assert f"{clone}: no split `dev`; it has" in refusal(f"{clone}:dev")


def test_splits_of_other_names_and_one_split_alone(tmp_path: Path) -> None:
    put(tmp_path / "prefs/data/train_prefs-00000-of-00002.parquet", "one")
    put(tmp_path / "prefs/data/train_prefs-00001-of-00002.parquet", "two")
    put(tmp_path / "prefs/data/train_sft-00000-of-00001.parquet", "three")
    assert prompts(f"{tmp_path}/prefs:train_prefs") == ["one", "two"]
    put(tmp_path / "single/data/train-00000-of-00001.parquet", "alone")
    assert prompts(tmp_path / "single") == ["alone"]
    put(tmp_path / "plain/0000.parquet", "a")
    put(tmp_path / "plain/0001.parquet", "b")
    assert prompts(tmp_path / "plain") == ["a", "b"]


def test_the_card_of_a_data_set_says_which_files_are_which(tmp_path: Path) -> None:
    put(tmp_path / "x/part.parquet", "x")
    put(tmp_path / "y/part.parquet", "y")
    card = "---\nconfigs:\n- config_name: {}\n  data_files:\n  - split: train\n    path: x/*.parquet\n"
    (tmp_path / "README.md").write_text(card.format("default") + "---\n")
    assert prompts(tmp_path) == ["x"]
    more = "- config_name: late\n  data_files: y/*.parquet\n---\n"
    (tmp_path / "README.md").write_text(card.format("early") + more)
    assert "has the splits `early/train` (1 file), `late/train` (1 file)" in refusal(tmp_path)
    assert prompts(f"{tmp_path}:late/train") == ["y"]


def test_jsonl_splits_are_read_too(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": name}) + "\n")
    assert prompts(f"{tmp_path}:test") == ["test"]
    assert prompts(tmp_path / "train") == ["train"]
    (tmp_path / "test.jsonl").rename(tmp_path / "answers.jsonl")
    assert "it holds 2 files: answers.jsonl, train.jsonl; name one" in refusal(tmp_path)


def test_what_datasets_saved_to_disk(tmp_path: Path) -> None:
    one, two = (datasets.Dataset.from_dict({"prompt": [text]}) for text in ("one", "two"))
    datasets.DatasetDict({"train": one, "test": two}).save_to_disk(str(tmp_path / "both"))
    one.save_to_disk(str(tmp_path / "single"))
    assert prompts(tmp_path / "single") == ["one"]
    assert prompts(f"{tmp_path}/both:test") == ["two"]
    assert "has the splits `test` (1 file), `train` (1 file)" in refusal(tmp_path / "both")


def test_a_folder_above_others_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    """Never all that lies below: rows twice, dropped rows as kept ones, test rows among the others."""
    for place in ("runs", "more"):
        (tmp_path / place).mkdir()
        revise(revise_config(tmp_path / place, rows=20))
    (tmp_path / "linked").symlink_to(tmp_path / "runs" / "run")
    assert "it holds 3 runs: linked, more/run, runs/run; name one of them" in refusal(tmp_path)
    put(tmp_path / "clones/a/data/train-00000-of-00001.parquet", "a")
    put(tmp_path / "clones/b/data/train-00000-of-00001.parquet", "b")
    assert "it holds 2 files: a/data/train-00000-of-00001.parquet" in refusal(tmp_path / "clones")
    (tmp_path / "model").mkdir()
    (tmp_path / "model/train.json").write_text("{}")
    assert "it is a training, which has no rows" in refusal(tmp_path / "model")
    put(tmp_path / "lfs/data.parquet", "x").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "a pointer of Git LFS" in refusal(tmp_path / "lfs")


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("test.jsonl", "train.jsonl.gz", "has the splits `test` .* `train` "),
        ("train.jsonl", "test.csv", "has the splits `test` .* `train` "),
        ("test.jsonl", "train.json", "it holds 2 files: test.jsonl, train.json"),
        ("train.jsonl", "notes.csv", "it holds 2 files: notes.csv, train.jsonl"),
    ],
)
def test_no_file_of_a_folder_is_left_out_unsaid(tmp_path: Path, one: str, other: str, said: str) -> None:
    (tmp_path / one).write_text('{"prompt": "Q?"}\n')
    (tmp_path / other).write_text("[]")
    with pytest.raises(UsageError, match=said):
        open_source(str(tmp_path))


@pytest.mark.parametrize("beside", ["holdout/rows.jsonl", "raw/b.parquet", "data/x/y.jsonl"])
def test_rows_in_other_folders_are_not_left_out_unsaid(tmp_path: Path, beside: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "Q?"}\n')
    assert prompts(tmp_path) == ["Q?"]
    put(tmp_path / beside, "R?")
    assert "it holds 2 files" in refusal(tmp_path)


def test_parts_that_are_missing_are_named(tmp_path: Path) -> None:
    put(tmp_path / "train-00000-of-00003.parquet", "a")
    put(tmp_path / "train-00002-of-00003.parquet", "c")
    said = "1 of the 3 parts of `train` are missing, such as train-00001-of-00003"
    assert said in refusal(tmp_path)
    assert prompts(tmp_path / "train-00000-of-00003.parquet") == ["a"]
    put(tmp_path / "train-00001-of-00003.parquet", "b")
    assert prompts(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ['[\n {"prompt": "Q?"}\n]', '{"prompt": "Q?"}\n{"prompt": "Q?"}\n'])
def test_lists_in_json_within_folders_and_globs(tmp_path: Path, text: str) -> None:
    """Other JSON of a folder holds no rows: objects by themselves, and lists of what is no object."""
    rows = text.count("Q?")
    for name in ("part-1.json", "part-2.json"):
        (tmp_path / name).write_text(text)
    (tmp_path / "config.json").write_text('{\n "prompt": "no row"\n}')
    (tmp_path / "labels.json").write_text('["Q?"]')
    assert prompts(tmp_path) == prompts(f"{tmp_path}/part-*.json") == ["Q?"] * 2 * rows
    (tmp_path / "part-1.json").rename(tmp_path / "train.json")
    (tmp_path / "part-2.json").rename(tmp_path / "test.json")
    assert prompts(f"{tmp_path}:test") == ["Q?"] * rows
    assert "has the splits `test` (1 file), `train` (1 file)" in refusal(tmp_path)


def test_rows_that_a_run_dropped_are_never_trained_on(tmp_path: Path) -> None:
    revise(revise_config(tmp_path, rows=20))
    run = tmp_path / "run"
    kept, dropped = list(open_source(str(run))), list(open_source(f"{run}/dropped"))
    assert len(kept) + len(dropped) == 20
    assert len(kept) == len(list(open_source(f"{run}/data"))) > 0 < len(dropped)
    for name in (f"{run}/dropped", f"{run}/dropped/train-00000.parquet"):
        with pytest.raises(UsageError, match="rows that a run did not keep"):
            list(read_pairs([name]))
    assert "is a run, which has no split `test`" in refusal(f"{run}:test")
    split(SplitConfig(inputs=(str(run),), out=str(tmp_path / "parted"), test_share=0.4))
    parted = str(tmp_path / "parted")
    assert "has the splits `train` (1 file), `test` (1 file)" in refusal(parted)
    parts = [{pair.row_id for pair in read_pairs([f"{parted}:{part}"])} for part in ("train", "test")]
    assert not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) == len(kept)
    assert f"{parted}/train row 1" == next(iter(open_source(f"{parted}:train")))[0]
