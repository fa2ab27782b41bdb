"""JSON files of one object each."""

from pathlib import Path

import pytest

from pairwright.errors import PairwrightError
from pairwright.folders.json_record import read_json, read_record
from pairwright.folders.manifest import Shard

SHARD = '{"counts": {"kept": 3}, "sha256": {}}'


def test_what_is_there_is_read_and_nothing_is_none(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    assert read_json(path, "wait") is None
    assert read_record(path, Shard, "wait") is None
    path.write_text(SHARD)
    assert read_json(path, "wait") == {"counts": {"kept": 3}, "sha256": {}}
    assert read_record(path, Shard, "wait") == Shard(counts={"kept": 3}, sha256={})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHARD[:-1], "Expecting ',' delimiter"),
        ("[1]", "it holds no object"),
        (b"\xff\xfe\xff", "codec can't decode"),
        ('{"counts": 3}', "2 validation errors for Shard"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "shard.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(PairwrightError) as error:
        read_record(path, Shard, "run its command again")
    message = str(error.value)
    assert message.startswith(f"{path}: damaged (")
    assert said in message
    assert message.endswith("; run its command again")
    assert "\n" not in message


def test_a_file_in_the_place_of_a_folder_holds_no_record(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    assert read_json(tmp_path / "pairs.jsonl" / "run.json", "make it again") is None
