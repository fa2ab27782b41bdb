"""Run folders as others read them: `datasets` and TRL's trainers, unchanged."""

from pathlib import Path

import datasets
import pytest
from runs_on_disk import revise_config, write_jsonl
from tiny_model import save_tiny_model
from transformers import AutoTokenizer

from pairwright.stages.sample import SampleConfig, sample
from revise import revise


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose last shard keeps nothing, so that an empty file is among those that are read."""
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder, rows=36, shard_size=5))
    return folder / "run"


def test_load_dataset_gives_exactly_the_kept_rows(pairs: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(pairs), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    rows = loaded["train"]
    assert len(rows) == 24 + 1
    assert {"prompt", "chosen", "rejected", "row_id", "source", "kept_share", "tag"} <= set(
        rows.column_names
    )
    first = rows[0]
    assert [m["role"] for m in first["prompt"]] == ["user"]
    assert [m["role"] for m in first["chosen"]] == ["assistant"]
    assert first["chosen"] != first["rejected"]


def test_loaded_pairs_join_with_ordinary_data_sets(pairs: Path, tmp_path: Path) -> None:
    """Large lists and null columns would make `concatenate_datasets` refuse."""
    rows = datasets.load_dataset(str(pairs), cache_dir=str(tmp_path))["train"]
    ordinary = datasets.Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": "Hi"}],
                "chosen": [{"role": "assistant", "content": "Hello"}],
            }
        ]
    )
    joined = datasets.concatenate_datasets([rows.select_columns(["prompt", "chosen"]), ordinary])
    assert len(joined) == len(rows) + 1


def test_pairs_go_into_trls_dpo_trainer_unchanged(pairs: Path, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    rows = datasets.load_dataset(str(pairs), cache_dir=str(tmp_path / "cache"))["train"]
    settings = DPOConfig(
        output_dir=str(tmp_path / "out"),
        loss_type=["apo_zero"],
        max_steps=1,
        per_device_train_batch_size=4,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
    )
    trainer = DPOTrainer(model=save_tiny_model(tmp_path / "model"), args=settings, train_dataset=rows)
    done = trainer.train()
    assert done.global_step == 1
    assert done.training_loss == pytest.approx(1.0, abs=1e-3)
    assert len(trainer.train_dataset) == len(rows)


def test_sampled_answers_go_into_trls_sft_trainer_unchanged(tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": f"Name fruit {n}."} for n in range(8)])
    policy = write_jsonl(tmp_path / "c.jsonl", [{"text": "An apple is a fruit."}])
    sample(SampleConfig(input=str(prompts), policy=f"canned:{policy}", n=1, out=str(tmp_path / "run")))
    rows = datasets.load_dataset(str(tmp_path / "run"), cache_dir=str(tmp_path / "cache"))["train"]
    settings = SFTConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
    )
    trainer = SFTTrainer(model=save_tiny_model(tmp_path / "model"), args=settings, train_dataset=rows)
    assert trainer.train().global_step == 1


def test_pairs_go_into_trls_reward_trainer_unchanged(pairs: Path, tmp_path: Path) -> None:
    """It reads a `margin` wherever there is such a column, so pairs that no judge saw must not have one."""
    from transformers import AutoModelForSequenceClassification
    from trl import RewardConfig, RewardTrainer

    rows = datasets.load_dataset(str(pairs), cache_dir=str(tmp_path / "cache"))["train"]
    folder = save_tiny_model(tmp_path / "model")
    settings = RewardConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
    )
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trainer = RewardTrainer(model=model, args=settings, train_dataset=rows, processing_class=tokenizer)
    assert trainer.train().global_step == 1
