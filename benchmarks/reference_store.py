"""A sweep of betas here and in TRL, each with its cache of reference log-probabilities.

    python benchmarks/reference_store.py --pairs FILE [--model smollm2] [--limit 16] [--max_steps 1]

Both sides train once for every beta, in turns, on the same pairs read from one file on disk, with the
same number of updates of the same size. What is counted is whole runs, and on how many pairs each run
asked the reference.
"""

import argparse
import importlib
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

BETAS = (0.05, 0.1, 0.2, 0.5, 1.0)


def write_pairs(source: str, limit: int, path: Path) -> int:
    """The first pairs of a file as conversations, which both sides read; returns how many."""
    from pairwright.inputs.pairs import read_pairs

    rows = [
        {
            "prompt": [message.model_dump() for message in row.prompt],
            "chosen": [row.chosen.model_dump()],
            "rejected": [row.rejected.model_dump()],
        }
        for row in read_pairs((source,), limit)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return len(rows)


def ours(args: argparse.Namespace, pairs: Path, work: Path, beta: float) -> int:
    """A run here; returns on how many pairs the reference was asked."""
    from train.preference import reference
    from train.preference.config import TrainConfig
    from train.training import train

    asked = []
    computed = reference._computed
    reference._computed = lambda *given: asked.append(len(given[2])) or computed(*given)
    try:
        train(
            TrainConfig(
                model=args.model,
                data=(str(pairs),),
                output_dir=str(work / f"ours-{beta}"),
                loss="dpo",
                beta=beta,
                reference_store=str(work / "store"),
                eval_share=0.0,
                bf16=False,
                use_cpu=not torch.cuda.is_available(),
                save_steps=0,
                **settings(args, "pairs_per_update"),
            )
        )
    finally:
        reference._computed = computed
    return sum(asked)


def theirs(args: argparse.Namespace, pairs: Path, work: Path, beta: float) -> int:
    """A run in TRL; returns on how many pairs the reference was asked."""
    import trl
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM

    from pairwright.models.loading import load_tokenizer
    from pairwright.models.names import resolve_model

    asked = []

    class Counting(trl.DPOTrainer):
        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            asked.append(len(inputs["input_ids"]) // 2)
            return super().compute_ref_log_probs(model, inputs)

    given = load_dataset("parquet", data_files=str(pairs), cache_dir=str(work / "cache"), split="train")
    trainer = Counting(
        model=AutoModelForCausalLM.from_pretrained(resolve_model(args.model), dtype=torch.float32),
        args=trl.DPOConfig(
            output_dir=str(work / f"trl-{beta}"),
            beta=beta,
            precompute_ref_log_probs=True,
            use_cpu=not torch.cuda.is_available(),
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
            per_device_train_batch_size=args.trl_batch,
            gradient_accumulation_steps=args.pairs_per_update // args.trl_batch,
            **settings(args),
        ),
        train_dataset=given,
        processing_class=load_tokenizer(args.model),
    )
    trainer.train()
    trainer.save_model()
    return sum(asked)


def settings(args: argparse.Namespace, *more: str) -> dict[str, Any]:
    """The settings that both sides call the same."""
    return {name: getattr(args, name) for name in ("max_steps", "max_length", "learning_rate", *more)}


def main() -> None:
    """Run it and print a line for each beta, and the ratio of the sweeps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", required=True, help="pairs: run folder, Parquet or JSONL")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--limit", type=int, default=16, help="pairs")
    parser.add_argument("--max_steps", type=int, default=1)
    parser.add_argument("--pairs_per_update", type=int, default=4)
    parser.add_argument("--trl_batch", type=int, default=4, help="pairs of one forward pass in TRL")
    parser.add_argument("--max_length", type=int, default=512)
    parser.add_argument("--learning_rate", type=float, default=1e-6)
    args = parser.parse_args()
    importlib.import_module("train.trainer.trainer"), importlib.import_module("trl")  # not part of any run
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        count = write_pairs(args.pairs, args.limit, work / "pairs.parquet")
        lines, total = [], {"ours": 0.0, "trl": 0.0}
        for beta in BETAS:
            line = f"beta {beta:<5}"
            for name, run in (("ours", ours), ("trl", theirs)):
                started = time.perf_counter()
                asked = run(args, work / "pairs.parquet", work, beta)
                seconds = time.perf_counter() - started
                total[name] += seconds
                line += f"  {name}: {seconds:6.1f} s, reference asked on {asked:3} of {count} pairs"
            lines.append(line)
    print("\n".join(lines))
    print(f"ratio: {total['trl'] / total['ours']:.2f}")


if __name__ == "__main__":
    main()
