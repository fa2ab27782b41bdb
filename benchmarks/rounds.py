"""What rounds cost apart from generating and training, with one vLLM through all of them and with many.

    python benchmarks/rounds.py --out runs/rounds [--python .venv-vllm/bin/python] [--rounds 4] [--limit 60]

The same loop twice, on the embedded model: its answers to the demo's prompts are repaired by a function and
verified, it is trained on these pairs, and a verifier measures it on held-out prompts. Once vLLM lives
through the rounds, once it is started for every command, as it was before. Generating is the time in
which the engine has requests in hand, training that of the command. With `--only kept` the first alone is
run; with `--policy hf` one loop, on transformers. Finished loops in the folder are read, not run again.
"""

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pairwright.engines.hf.engine import HFEngine
from pairwright.engines.vllm.engine import VLLMEngine
from pairwright.models.loading import fastest_dtype
from train.on_policy import loop as loops
from train.on_policy.config import LoopConfig
from train.on_policy.steps import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SPENT = "spent.json"


class Clock:
    """Seconds spent on something, by its name, since the last look."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*args: Any, **kwargs: Any) -> Any:
            begun = time.monotonic()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

        return within

    def look(self) -> dict[str, float]:
        """What was spent, and `all` of the time since."""
        now = time.monotonic()
        found = self.seconds | {"all": now - self._begun}
        self.seconds, self._begun = {}, now
        return found


def settings(out: Path, options: argparse.Namespace) -> LoopConfig:
    """A loop of verified repairs, measured by the same verifier on prompts that it never sees."""
    engine = {"python": options.python, "max_model_len": "512", "max_num_seqs": "64"}
    engine |= {"enforce_eager": "true"} if options.eager else {}
    answering: dict[str, Any] = {"policy": options.policy, "engine": engine}
    if options.policy == "hf":
        answering = {"policy": "hf", "dtype": fastest_dtype(), "batch_size": 96}
    checks = EXAMPLES / "checks.py"
    return LoopConfig(
        model="smollm2",
        prompts=str(EXAMPLES / "demo_prompts.jsonl"),
        eval_prompts=str(EXAMPLES / "demo_held_out.jsonl"),
        limit=options.limit,
        eval_limit=options.held_out,
        rounds=options.rounds,
        output_dir=str(out),
        pairs="revise",
        stop_below_best=False,
        sample={"n": options.n, "max_tokens": 64, "temperature": 0.7, **answering},
        revise={
            "reviser": f"python:{checks}:repair",
            "verify": f"{checks}:passes",
            "min_kept_share": 0.0,
            "max_edit_distance": 1.0,
            "min_length_ratio": 0.3,
            "max_length_ratio": 3.0,
        },
        eval={"verify": f"{checks}:passes", "max_tokens": 64},
        train={
            "loss": "apo_zero",
            "sft_weight": 1.0,
            "lora_r": 32,
            "lora_alpha": 64,
            "learning_rate": options.learning_rate,
            "max_steps": options.updates,
            "pairs_per_update": 8,
            "eval_share": 0.0,
            "use_cpu": True,
        },
    )


def go(out: Path, options: argparse.Namespace, *, kept: bool) -> None:
    """Run a loop and write what each of its rounds was spent on beside it."""
    clock, spent = Clock(), []
    write = loops.write_measures

    def noted(folder: Path, measures: dict[str, Any]) -> None:
        write(folder, measures)
        spent.append({"round": measures["round"], **clock.look()})

    @contextlib.contextmanager
    def alone(*_: Any, **__: Any) -> Iterator[None]:
        yield

    with contextlib.ExitStack() as held:
        for engine in (VLLMEngine, HFEngine):
            held.enter_context(patch.object(engine, "poll", clock.timed("generating", engine.poll)))
        held.enter_context(patch.object(loops, "write_measures", noted))
        if not kept:
            held.enter_context(patch.object(loops, "through_rounds", alone))
        commands = COMMANDS._replace(train=clock.timed("training", COMMANDS.train))
        loops.loop(settings(out, options), commands)
    (out / SPENT).write_text(json.dumps(spent))


def shown(name: str, out: Path) -> float:
    """Print a loop's rounds; returns the time of all rounds after the start."""
    spent = json.loads((out / SPENT).read_text())
    table = {row["round"]: row for row in map(json.loads, (out / "table.jsonl").read_text().splitlines())}
    for row in spent:
        generating, training = row.get("generating", 0.0), row.get("training", 0.0)
        rest = row["all"] - generating - training
        measured = table[row["round"]]
        gain = ""
        if "gain" in measured:
            low, high = (100 * measured[f"gain_{end}"] for end in ("low", "high"))
            gain = f", gain {100 * measured['gain']:+.1f} ({low:+.1f} to {high:+.1f})"
        print(
            f"{name}, round {row['round']}: {row['all']:.1f} s = generating {generating:.1f} + training "
            f"{training:.1f} + rest {rest:.1f} ({rest / row['all']:.1%}); passes "
            f"{measured['pass_rate']:.1%}{gain}"
        )
    later = [row for row in spent if row["round"]]
    rest = sum(row["all"] - row.get("generating", 0.0) - row.get("training", 0.0) for row in later)
    whole = sum(row["all"] for row in later)
    print(f"{name}: {whole:.0f} s in {len(later)} rounds, {rest / whole:.1%} of it neither")
    return float(sum(row["all"] for row in spent))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--python", default=str(ROOT / ".venv-vllm" / "bin" / "python"))
    parser.add_argument("--policy", choices=["vllm", "hf"], default="vllm")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--limit", type=int, default=60, help="prompts of a round")
    parser.add_argument("--held_out", type=int, default=180)
    parser.add_argument("--n", type=int, default=1, help="answers to a prompt")
    parser.add_argument("--updates", type=int, default=8, help="updates of 8 pairs a round")
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--eager", action="store_true", help="do not let vLLM compile")
    parser.add_argument("--only", choices=["kept"], default=None)
    options = parser.parse_args()
    ways = {"one vLLM through all rounds": True, "one for each command": False}
    if options.only:
        ways = {"one vLLM through all rounds": True}
    if options.policy == "hf":
        ways = {"transformers": True}
    seconds = []
    for name, kept in ways.items():
        out = options.out / ("kept" if kept else "started")
        if not (out / SPENT).exists():
            go(out, options, kept=kept)
        seconds.append(shown(name, out))
    if len(seconds) == 2:
        print(f"whole loops: {seconds[0]:.0f} s against {seconds[1]:.0f} s ({seconds[1] / seconds[0]:.2f})")


if __name__ == "__main__":
    main()
