"""Files that are whole or not there, also where a kill cut a write off."""

from pathlib import Path

import pytest

from pairwright.folders.durable import sweep_temporaries, write_durably


def test_what_a_killed_write_leaves_is_nobodys_file_and_swept_away(tmp_path, monkeypatch) -> None:
    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    for name in ("shard.json", "rows.jsonl", "train-00000.parquet"):
        with pytest.raises(KeyboardInterrupt):
            write_durably(tmp_path / name, b"{}")
        assert not list(Path(tmp_path).glob(f"*{Path(name).suffix}"))
    assert len(list(tmp_path.iterdir())) == 3
    sweep_temporaries(tmp_path)
    assert not list(tmp_path.iterdir())
