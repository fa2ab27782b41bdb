"""A training of a few updates under FSDP2 on one device, and the same without: the same losses.

    python benchmarks/gpu/sharded.py --out DIR [--device cuda] [--tiny]

Both are `pairwright train`, the first under `accelerate launch`, in bfloat16 where there is a GPU.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from made import save_model, save_pairs, tell

CONFIG = Path(__file__).resolve().parents[2] / "examples" / "accelerate" / "fsdp2.yaml"
ON_A_CPU = {
    "ACCELERATE_USE_CPU": "true",
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29511",
}
"""What `accelerate launch` would say; it heeds no configuration of FSDP without a GPU."""
ALIKE = {"cuda": 2e-2, "cpu": 1e-4}


def losses(folder: Path) -> list[float]:
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    shape = "tiny" if options.tiny else "0.5b"
    model = save_model(options.out / f"model-{shape}", shape, 0)
    pairs = save_pairs(options.out / "sharded.jsonl", 8, 24, 8)
    command = ["--model", model, "--data", pairs, "--loss", "dpo", "--learning_rate", "1e-5"]
    command += ["--pairs_per_update", "4", "--max_steps", "2", "--eval_share", "0", "--save_steps", "0"]
    command += ["--logging_steps", "1", "--fresh", "--reference_store", "none"]
    command += ["--use_cpu", "--no-bf16"] if options.device == "cpu" else ["--bf16"]
    launch = ["accelerate.commands.launch", "--config_file", str(CONFIG), "--num_processes", "1", "-m"]
    ways: dict[str, tuple[list[str], dict[str, str]]] = {"plain": ([], {}), "fsdp2": (launch, {})}
    if options.device == "cpu":
        ways["fsdp2"] = ([], ON_A_CPU)
    found = {}
    for name, (before, environment) in ways.items():
        out = options.out / f"sharded-{name}"
        words = [sys.executable, "-m", *before, "pairwright.cli", "train", *command]
        subprocess.run([*words, "--output_dir", str(out)], check=True, env=os.environ | environment)
        found[name] = losses(out)
    differ = max(abs(a - b) for a, b in zip(found["plain"], found["fsdp2"], strict=True))
    tell(options.out, "fsdp2", losses=found["fsdp2"], differ=differ)
    sys.exit(int(not found["fsdp2"] or differ > ALIKE[options.device]))


if __name__ == "__main__":
    main()
