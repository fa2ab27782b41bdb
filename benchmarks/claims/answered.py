"""What a training on sampled answers comes to: the score of greedy answers to held-out prompts

A score is how like an answer is to the right one, letter by letter, from 0 to 100: no model says it, and
none has seen it. Answers that are sampled once, and outcomes of trainings, stay in a cache.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from made_pairs import HELD_OUT_SEED, SYSTEM, Made, made, write
from rapidfuzz import fuzz

import pairwright as pw
from pairwright.folders.durable import write_durably
from pairwright.records import content_hash

Rows = list[dict[str, Any]]
HELD_OUT = 40


def score(answer: str, right: str) -> float:
    """How like an answer is to the right one: 0 to 100."""
    return fuzz.ratio(answer.strip(), right)


def sampled(model: str, some: Sequence[Made], n: int, temperature: float, cache: Path) -> list[list[str]]:
    """`n` answers of a model to each prompt, in the order of the prompts."""
    prompts = [{"prompt": asked(one), "place": place} for place, one in enumerate(some)]
    name = content_hash([model, [one.prompt for one in some], n, temperature])[:16]
    data = write(cache / "sampled" / f"{name}.jsonl", prompts)
    settings = {"n": n, "temperature": temperature, "max_tokens": 32, "batch_size": 96, "device": "cpu"}
    found = pw.sample(data, policy=f"hf:{model}", out=str(cache / "sampled" / name), **settings)
    answers: list[list[str]] = [[] for _ in some]
    for row in [*found.frame().to_dicts(), *found.dropped().to_dicts()]:
        answers[row["place"]].append(row["completion"][0]["content"] if row["completion"] else "")
    return answers


def asked(one: Made) -> list[dict[str, str]]:
    """A prompt as messages."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": one.prompt}]


def outcome(rows: Rows, cache: Path, model: str, **settings: Any) -> npt.NDArray[np.float64]:
    """Scores of greedy answers to the held-out prompts after a training on some rows, (P,)."""
    key = content_hash([rows, model, HELD_OUT, sorted(map(str, settings.items()))])
    path = cache / f"outcome-{key}.json"
    if not path.exists():
        print(f"training {settings}", flush=True)
        write_durably(path, json.dumps(_trained(rows, cache, model, settings)).encode())
    return np.array(json.loads(path.read_text()))


def untrained(cache: Path, model: str) -> npt.NDArray[np.float64]:
    """The same of the model as it is."""
    return np.array(_greedy(model, cache))


def _trained(rows: Rows, cache: Path, model: str, settings: dict[str, Any]) -> list[float]:
    with tempfile.TemporaryDirectory(dir=cache, prefix="run-") as folder:
        plain = {"lr_scheduler_type": "constant", "warmup_ratio": 0.0, "eval_share": 0.0, "save_steps": 0}
        pw.train(
            model=model,
            data=(write(Path(folder, "training.jsonl"), rows),),
            output_dir=str(Path(folder, "run")),
            reference_store=str(cache / "reference"),
            bf16=False,
            use_cpu=True,
            **(plain | settings),
        )
        return _greedy(str(Path(folder, "run")), Path(folder))


def _greedy(model: str, cache: Path) -> list[float]:
    kept = made(HELD_OUT_SEED, HELD_OUT)
    said = sampled(model, kept, 1, 0.0, cache)
    return [score(answers[0], one.chosen) for answers, one in zip(said, kept, strict=True)]
