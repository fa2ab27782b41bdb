"""What the hash of a model folder goes by, and what it must not go by."""

from pathlib import Path

import huggingface_hub.constants
import pytest
from tiny_model import save_tiny_model

from pairwright.models.fingerprint import fingerprint, save_tokenizer
from pairwright.models.loading import load_tokenizer


def test_whether_the_hub_was_reached_is_no_part_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = save_tiny_model(tmp_path / "tiny")
    found = set()
    for offline in (False, True):
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
        tokenizer = load_tokenizer(tiny)
        assert tokenizer.init_kwargs["local_files_only"] is offline  # what transformers would write down
        folder = tmp_path / f"saved-{offline}"
        save_tokenizer(tokenizer, folder)
        found.add(fingerprint(folder))
    assert len(found) == 1
