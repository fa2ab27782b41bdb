"""Tokens a second of `sample` with a `vllm:` engine, beside a bare `LLM.chat` over the same requests.

    python benchmarks/engine_overhead.py --requests 288 --rounds 3 --python .venv-vllm/bin/python

The two sides take turns; each round starts vLLM anew for either, with the same arguments, and asks it
one short warm-up. Neither the start nor the warm-up is timed on either side. What is timed of ours is the
whole command from reading the input to the finished run folder; of vLLM's, one call of `LLM.chat`. Both
have the same messages, sampling parameters and seeds. Ends in `ratio: X`, the median over rounds.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PROMPTS = ROOT / "examples" / "prompts.jsonl"
WARM_UP = [{"messages": [{"role": "user", "content": "Count to ten."}], "seed": n} for n in range(8)]


def ours(given: argparse.Namespace, arguments: dict[str, str]) -> dict[str, float]:
    """Seconds and tokens of `sample` into a fresh folder, on an engine that is already open."""
    from pairwright.engines import pool
    from pairwright.engines.options import EngineOptions
    from pairwright.engines.vllm.engine import VLLMEngine
    from pairwright.records import Job, Request, Sampling, conversation
    from pairwright.stages.sample import SampleConfig, sample

    spec = f"vllm:{given.model}"
    engine = VLLMEngine(given.model, EngineOptions(engine=arguments), spec)
    try:
        for n in range(len(WARM_UP)):
            request = Request(
                role="warm-up",
                messages=conversation("Count to ten."),
                sampling=Sampling(max_tokens=16),
                sample_index=n,
            )
            engine.submit(Job(key=request.key("warm-up"), request=request))
        for _ in WARM_UP:
            engine.poll()
        close, engine.close = engine.close, lambda: None  # type: ignore[method-assign]
        open_engine, pool.open_engine = pool.open_engine, lambda *_: engine
        try:
            with tempfile.TemporaryDirectory() as folder:
                config = SampleConfig(
                    input=str(PROMPTS), policy=spec, out=f"{folder}/run", n=given.samples,
                    max_tokens=given.max_tokens, engine=arguments,
                )  # fmt: skip
                began = time.monotonic()
                manifest = sample(config)
                seconds = time.monotonic() - began
        finally:
            pool.open_engine = open_engine
            close()
    finally:
        engine.close()
    assert manifest is not None
    assert "failed" not in manifest.counts
    return {"seconds": seconds, "tokens": sum(s.completion_tokens for s in manifest.shards.values())}


def requests(given: argparse.Namespace) -> dict[str, Any]:
    """The very requests that `sample` makes, for the bare side."""
    from transformers import AutoTokenizer

    from pairwright.engines.kinds import engine_identity
    from pairwright.engines.options import EngineOptions
    from pairwright.inputs.columns import Columns
    from pairwright.inputs.rows import Input
    from pairwright.models.chat import end_of_turn
    from pairwright.models.names import resolve_model
    from pairwright.records import Job, Sampling
    from pairwright.stages.sample import answer_request

    model = engine_identity(f"vllm:{given.model}", EngineOptions())
    sampling = Sampling(max_tokens=given.max_tokens)
    asked = []
    for row in Input(str(PROMPTS), Columns(None, None), None, (), answers=False):
        for index in range(given.samples):
            request = answer_request(row, sampling, index)
            job = Job(key=request.key(model), request=request)
            asked.append({"messages": [m.model_dump() for m in request.messages], "seed": job.seed})
    source = resolve_model(given.model)
    end = end_of_turn(AutoTokenizer.from_pretrained(source))
    return {"model": source, "requests": asked, "max_tokens": given.max_tokens, "end": end}


def bare(given: argparse.Namespace, asked: dict[str, Any], arguments: dict[str, str]) -> dict[str, float]:
    """Seconds and tokens of one `LLM.chat`, in a process of vLLM's own Python."""
    from pairwright.engines.vllm.process import SupervisedProcess

    own = {name: value for name, value in arguments.items() if name != "python"}
    told = json.dumps(asked | {"arguments": own})
    command = [given.python, __file__, "--as_bare"]
    process = SupervisedProcess(command, os.environ)
    process.send(told.encode())
    line = process.receive(None)
    log = process.log_tail()
    process.end()
    if line is None:
        sys.exit("\n".join(log[-30:]))
    result: dict[str, float] = json.loads(line)
    return result


def as_bare() -> None:
    """The program of the bare side; nothing of pairwright is imported here."""
    asked = json.loads(sys.stdin.readline())
    out = os.dup(1)
    os.dup2(2, 1)
    from vllm import LLM, SamplingParams

    arguments = {name: json.loads(value) for name, value in asked["arguments"].items()}
    llm = LLM(model=asked["model"], dtype="auto", **arguments)

    def chat(some: list[dict[str, Any]], max_tokens: int) -> tuple[float, int]:
        params = [
            SamplingParams(
                max_tokens=max_tokens,
                temperature=1.0,
                top_p=1.0,
                seed=one["seed"],
                stop_token_ids=[asked["end"]],
            )
            for one in some
        ]
        began = time.monotonic()
        found = llm.chat([one["messages"] for one in some], params, use_tqdm=False)
        seconds = time.monotonic() - began
        return seconds, sum(len(one.outputs[0].token_ids) for one in found)

    chat(WARM_UP, 16)
    seconds, tokens = chat(asked["requests"], asked["max_tokens"])
    os.write(out, json.dumps({"seconds": seconds, "tokens": tokens}).encode() + b"\n")
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument(
        "--requests", type=int, default=288, help="rounded up to whole samples of 72 prompts"
    )
    parser.add_argument("--max_tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--python", default=os.environ.get("PAIRWRIGHT_VLLM_PYTHON", ".venv-vllm/bin/python")
    )
    parser.add_argument("--max_model_len", default="1024")
    parser.add_argument("--max_num_seqs", default="64")
    parser.add_argument("--eager", default="true", help="true or false: no compilation of the model")
    parser.add_argument("--as_bare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_bare:
        as_bare()
    prompts = sum(1 for line in PROMPTS.open() if line.strip())
    given.samples = -(-given.requests // prompts)
    arguments = {
        "python": given.python,
        "max_model_len": given.max_model_len,
        "max_num_seqs": given.max_num_seqs,
        "enforce_eager": given.eager,
        "enable_chunked_prefill": "false",  # of which vLLM 0.32 dies on CPUs when requests have seeds
    }
    asked = requests(given)
    ratios = []
    for number in range(given.rounds):
        sides = {
            "pairwright": lambda: ours(given, arguments),
            "bare": lambda: bare(given, asked, arguments),
        }
        found = {name: sides[name]() for name in (sorted(sides, reverse=bool(number % 2)))}
        speed = {name: one["tokens"] / one["seconds"] for name, one in found.items()}
        ratios.append(speed["pairwright"] / speed["bare"])
        for name, one in found.items():
            print(f"round {number + 1}: {name:<10} {one['tokens']:,.0f} tokens in {one['seconds']:.1f} s")
        print(f"round {number + 1}: {ratios[-1]:.3f}", flush=True)
    print(f"{len(asked['requests'])} requests of at most {given.max_tokens} tokens, {given.rounds} rounds")
    print(f"ratio: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
