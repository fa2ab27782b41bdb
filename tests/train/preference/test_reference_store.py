"""Reference log-probabilities that runs share: found again where they are the same, and never elsewhere."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from alive import models_in_memory
from tiny_model import TinyRun, read_metrics, save_tiny_model
from transformers import AutoTokenizer

from pairwright.errors import PairwrightError, UsageError
from train.preference.task import PreferenceTask
from train.training import train


@pytest.fixture
def tiny(tmp_path) -> TinyRun:
    run = TinyRun(tmp_path)
    run.settings |= {"reference_store": str(tmp_path / "store"), "max_steps": 1, "eval_share": 0.0}
    run.settings["pairs_per_update"] = 10
    return run


@pytest.fixture
def known(capfd) -> Callable[[], list[tuple[int, int]]]:
    """Of how many pairs the reference was known, of how many, a run that knew any."""

    def said() -> list[tuple[int, int]]:
        found = re.findall(r"known from earlier runs: (\d+) of (\d+) pairs", capfd.readouterr().err)
        return [(int(some), int(pairs)) for some, pairs in found]

    return said


def parts(tiny: TinyRun) -> list[Path]:
    return sorted((tiny.folder / "store").glob("*/part-*.parquet"))


def test_a_sweep_asks_the_reference_once(tiny, known):
    train(tiny.config("first"))
    changes = [{"beta": 0.5}, {"learning_rate": 1e-4}, {"loss": "dpo"}, {"sft_weight": 0.1}, {"seed": 7}]
    for number, change in enumerate(changes):
        train(tiny.config(f"other{number}", **change))
    assert known() == [(10, 10)] * len(changes)
    assert len(parts(tiny)) == 1


def test_what_is_known_is_what_would_be_computed(tiny):
    train(tiny.config("first"))
    train(tiny.config("again", loss="dpo"))
    train(tiny.config("without", loss="dpo", reference_store="none"))
    again, without = (read_metrics(tiny.folder / name) for name in ("again", "without"))
    assert again == [pytest.approx(record, abs=1e-5) for record in without]


def test_more_pairs_ask_only_about_the_new_ones(tiny, known):
    train(tiny.config("few", limit=6))
    train(tiny.config("all"))
    assert known() == [(6, 10)]
    assert len(parts(tiny)) == 2


@pytest.mark.parametrize("loss", ["dpo", "kto", "apo_zero_unpaired"])
def test_a_run_that_ends_within_its_first_epoch_asks_only_about_what_it_trains_on(tiny, capfd, loss):
    settings = {"pairs_per_update": 3, "max_steps": 2, "loss": loss, "lr_scheduler_type": "constant"}
    train(tiny.config("short", **settings, warmup_ratio=0.0))
    assert " 6 of " in capfd.readouterr().err
    train(tiny.config("long", **settings | {"max_steps": 4, "reference_store": "none"}, warmup_ratio=0.0))
    short, long = (
        [r["loss"] for r in read_metrics(tiny.folder / n) if "loss" in r] for n in ("short", "long")
    )
    assert short == pytest.approx(long[:2], abs=1e-6)


@pytest.mark.parametrize("change", ["weights", "bf16", "template"])
def test_another_reference_is_another(tiny, known, change):
    train(tiny.config("first"))
    other = tiny.folder / "other"
    save_tiny_model(other, num_hidden_layers=1) if change == "weights" else save_tiny_model(other)
    if change == "template":
        template = other / "chat_template.jinja"
        template.write_text(template.read_text().replace("<|assistant|>", "<|user|>"))
    train(tiny.config("second", model=str(other), bf16=change == "bf16"))
    assert known() == []
    assert len(parts(tiny)) == 2


def test_adapters_have_their_base_as_reference(tiny, known):
    train(tiny.config("full"))
    train(tiny.config("adapter", lora_r=2))
    assert known() == [(10, 10)]


def test_a_store_that_is_wrong_is_found_out_before_anything_is_trained(tiny):
    train(tiny.config("first"))
    (path,) = parts(tiny)
    table = pq.read_table(path)
    wrong = pa.array([value + 1 for value in table["logp"].to_pylist()], pa.float32())
    pq.write_table(table.set_column(1, "logp", wrong), path)
    with pytest.raises(PairwrightError, match=r"reference of another model: row row\d+ .* none"):
        train(tiny.config("second"))
    assert not (tiny.folder / "second" / "model.safetensors").exists()


def test_a_damaged_store_is_named(tiny):
    train(tiny.config("first"))
    (path,) = parts(tiny)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(PairwrightError, match=f"{path.name} is damaged"):
        train(tiny.config("second"))
    path.unlink()
    assert train(tiny.config("second")).status == "trained"


def test_a_reference_of_its_own_is_known_by_its_own_weights(tiny, known):
    """Neither the model's values nor the other's are taken for those of the other."""
    tiny.settings["ref_model"] = str(save_tiny_model(tiny.folder / "older", num_hidden_layers=1))
    train(tiny.config("first"))
    train(tiny.config("again", beta=0.5))
    assert known() == [(10, 10)]
    train(tiny.config("itself", ref_model=None))
    assert known() == []
    train(tiny.config("without", reference_store="none"))
    first, without = (read_metrics(tiny.folder / name) for name in ("first", "without"))
    assert first == [pytest.approx(record, abs=1e-5) for record in without]
    assert first != read_metrics(tiny.folder / "itself")


def test_a_reference_of_its_own_is_not_in_memory_while_the_model_is_trained(tiny):
    alive: list[int] = []

    class Watched(PreferenceTask):
        def look_ahead(self, *args):
            alive.extend(model.config.num_hidden_layers for model in models_in_memory())

    config = tiny.config("out", ref_model=save_tiny_model(tiny.folder / "older", num_hidden_layers=7))
    train(config, Watched(config))
    assert alive
    assert 7 not in alive


def test_a_reference_that_reads_other_tokens_is_refused(tiny):
    other = Path(save_tiny_model(tiny.folder / "other"))
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["another"])
    tokenizer.save_pretrained(other)
    with pytest.raises(UsageError, match="a reference has the vocabulary of the model"):
        train(tiny.config("out", ref_model=str(other)))
