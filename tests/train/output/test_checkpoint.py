"""Checkpoints are whole or refused: flipped bits, cuts, missing files, full disks, and which is kept."""

import errno
import random
import shutil
from pathlib import Path

import pytest
from checkpoints import empty_checkpoint, rewind_to
from safetensors.torch import save_file
from tiny_model import TEMPLATE, TinyRun, read_metrics, tiny_tokenizer
from transformers import AutoTokenizer

from pairwright.errors import PairwrightError, UsageError
from train.output.checkpoint import (
    DamagedCheckpoint,
    checkpoint_folder,
    checkpoints,
    newest_sound,
    rotate,
    verify,
)
from train.training import train


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The checkpoint of a tiny run after its second update, with all its kinds of files."""
    own = TinyRun(tmp_path_factory.mktemp("checkpoint"))
    train(own.config(max_steps=2, save_steps=2))
    return own.folder / "out" / "checkpoint-2"


def test_a_tokenizer_with_several_chat_templates_is_saved_with_all_of_them(tmp_path):
    own = TinyRun(tmp_path)
    templates = {"default": TEMPLATE, "tool_use": TEMPLATE + "!"}
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = templates
    tokenizer.save_pretrained(own.settings["model"])
    for fresh in (False, True):
        train(own.config(max_steps=1, save_steps=1, fresh=fresh))
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template == templates
    kept = next((tmp_path / "out" / "checkpoint-1").rglob("tool_use.jinja"))
    kept.write_text("another")
    with pytest.raises(DamagedCheckpoint, match=r"tool_use\.jinja: damaged"):
        verify(tmp_path / "out" / "checkpoint-1")


@pytest.fixture
def copied(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / saved.name))


def test_there_is_no_pickle_in_it(saved):
    assert {path.suffix for path in saved.iterdir()} == {".safetensors", ".json", ".jinja"}


@pytest.mark.parametrize("seed", range(10))
def test_every_flipped_bit_is_noticed(copied, seed):
    """20 flips a seed, each in a file drawn alike, the small ones and the manifest too."""
    chance = random.Random(seed)
    files = sorted(copied.iterdir())
    for _ in range(20):
        path = chance.choice(files)
        sound = path.read_bytes()
        spoilt = bytearray(sound)
        spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        with pytest.raises(DamagedCheckpoint):
            verify(copied)
        path.write_bytes(sound)
    verify(copied)


def test_every_cut_is_noticed(copied):
    chance = random.Random(0)
    for _ in range(50):
        path = chance.choice(sorted(copied.iterdir()))
        sound = path.read_bytes()
        path.write_bytes(sound[: chance.randrange(len(sound))])
        with pytest.raises(DamagedCheckpoint):
            verify(copied)
        path.write_bytes(sound)
    verify(copied)


def test_each_missing_file_is_named(copied):
    for path in sorted(copied.iterdir()):
        sound = path.read_bytes()
        path.unlink()
        with pytest.raises(DamagedCheckpoint, match=f"/{path.name}: missing"):
            verify(copied)
        path.write_bytes(sound)


def test_a_damaged_newest_is_put_aside_and_said_so(tmp_path, caplog):
    for update in (1, 2, 3):
        empty_checkpoint(tmp_path, update)
    (checkpoint_folder(tmp_path, 3) / "part").write_text("0")
    (checkpoint_folder(tmp_path, 2) / "part").unlink()
    assert newest_sound(tmp_path) == checkpoint_folder(tmp_path, 1)
    assert "checkpoint-3/part: damaged" in caplog.text
    assert "checkpoint-2/part: missing" in caplog.text
    assert "going back to checkpoint-1" in caplog.text
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-1"]
    assert (tmp_path / "damaged-checkpoint-3" / "part").read_text() == "0"


def test_when_none_is_whole_the_file_is_named_with_what_to_do(tmp_path):
    (empty_checkpoint(tmp_path, 4) / "part").write_text("0")
    with pytest.raises(PairwrightError, match=r"checkpoint-4/part: damaged.*--fresh"):
        newest_sound(tmp_path)
    assert checkpoint_folder(tmp_path, 4).exists()


def test_folders_of_other_names_are_no_checkpoints(tmp_path):
    for name in ("checkpoint-", "checkpoint-x", "checkpoint-1.bak", ".tmp-checkpoint-9"):
        (tmp_path / name).mkdir()
    assert newest_sound(tmp_path) is None


@pytest.mark.parametrize("keep", [1, 2, 3, 9])
def test_rotation_keeps_the_newest_by_number(tmp_path, keep):
    for update in (1, 9, 10, 100):
        empty_checkpoint(tmp_path, update)
    rotate(tmp_path, keep)
    kept = [int(path.name.rpartition("-")[2]) for path in checkpoints(tmp_path)]
    assert kept == [100, 10, 9, 1][:keep]


@pytest.mark.parametrize("call", range(6))
def test_a_full_disk_leaves_the_earlier_checkpoint_and_no_half_one(tmp_path, monkeypatch, call):
    empty_checkpoint(tmp_path, 1)
    calls = []
    for name in ("fsync", "replace", "rename"):
        original = getattr(__import__("os"), name)

        def failing(*args, original=original, **kwargs):
            calls.append(args)
            if len(calls) > call:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*args, **kwargs)

        monkeypatch.setattr(f"os.{name}", failing)
    if call < 5:  # two files, the folder and the rename, then the folder around it
        with pytest.raises(PairwrightError, match="No space left on device"):
            empty_checkpoint(tmp_path, 2)
    else:
        empty_checkpoint(tmp_path, 2)
    monkeypatch.undo()
    assert newest_sound(tmp_path) in [checkpoint_folder(tmp_path, n) for n in (1, 2)]
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_run_goes_back_to_the_checkpoint_before_a_damaged_one(tmp_path, caplog):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=4, save_steps=1, save_total_limit=9)
    train(config)
    golden = (tmp_path / "out" / "model.safetensors").read_bytes()
    lines = read_metrics(config.output_dir)
    rewind_to(tmp_path / "out", 3)
    (tmp_path / "out" / "checkpoint-3" / "optimizer.safetensors").unlink()
    train(config)
    assert "optimizer.safetensors: missing; put aside, going back to checkpoint-2" in caplog.text
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == golden
    assert read_metrics(config.output_dir) == lines


def test_a_run_whose_only_checkpoint_is_damaged_says_what_to_do(tmp_path):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=2, save_steps=1, save_total_limit=1)
    train(config)
    rewind_to(tmp_path / "out", 2)
    (tmp_path / "out" / "checkpoint-2" / "training.json").write_text("{}")
    with pytest.raises(PairwrightError, match=r"training\.json: damaged.*--fresh"):
        train(config)
    assert train(config.model_copy(update={"fresh": True})).status == "trained"


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    own = TinyRun(tmp_path)
    for name, beta in (("out", 0.1), ("other", 0.3)):
        train(own.config(name, max_steps=2, save_steps=1, beta=beta))
    rewind_to(tmp_path / "out", 2)
    shutil.rmtree(tmp_path / "out" / "checkpoint-2")
    shutil.copytree(tmp_path / "other" / "checkpoint-2", tmp_path / "out" / "checkpoint-2")
    with pytest.raises(UsageError, match=r"checkpoint-2: belongs to .*`beta` was 0\.3"):
        train(own.config(max_steps=2, save_steps=1))


def test_a_full_disk_stops_training_with_the_checkpoint_before_intact(tmp_path, monkeypatch):
    own = TinyRun(tmp_path)
    config = own.config(max_steps=3, save_steps=1)
    saves = []

    def full(*args, **kwargs):
        saves.append(args)
        if len(saves) > 4:  # two a checkpoint
            raise OSError(errno.ENOSPC, "No space left on device")
        return save_file(*args, **kwargs)

    monkeypatch.setattr("train.output.state.save_file", full)
    with pytest.raises(PairwrightError, match="checkpoint-3: could not be written"):
        train(config)
    monkeypatch.undo()
    assert newest_sound(tmp_path / "out") == tmp_path / "out" / "checkpoint-2"
    assert train(config).status == "trained"
