"""Rows a second of the whole `revise` pipeline, beside distilabel's CLAIR pipeline on the same rows.

    python benchmarks/pipeline_vs_distilabel.py --rows 100000

Both read prompts and answers, render a reviser's messages, ask an engine that answers at once, parse
what comes back and keep it. Ours also hashes, journals, measures, gates, and writes Parquet that
survives a kill. distilabel 1.5.3 lives in an environment of its own, which is made when it is not there.

distilabel is timed inside its process, around `Pipeline.run`, with batches of 1,000 rows (at its default
of 50 it is several times slower); ours from the start of the command to its end. One process of ours,
then two that share a folder (`--shard 0/2`, `--shard 1/2`); distilabel runs its steps in processes of
their own. They alternate; `ratio` is the better of ours by distilabel, the median over rounds. Processor
time is said beside it, since it depends less on what else the machine does.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from revise_rows import ANSWER, REVISION

ENVIRONMENT = Path(__file__).parents[1] / ".venv-distilabel"
NEEDS = (
    "datasets>=2.16,<4 fsspec httpx jinja2 multiprocess networkx orjson portalocker pydantic rich scipy "
    "tblib typer universal_pathlib pyyaml nest_asyncio setuptools<80"
)

THEIRS = """
import json, sys, time
from distilabel.models.llms.base import LLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import CLAIR

class Instant(LLM):
    reply: str = ""
    @property
    def model_name(self):
        return "instant"
    def generate(self, inputs, num_generations=1):
        said = {"generations": [self.reply], "statistics": {"input_tokens": [0], "output_tokens": [0]}}
        return [said for _ in inputs]

if __name__ == "__main__":
    rows, reply, batch, cache = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    records = [json.loads(line) for line in open(rows)]
    data = [{"task": r["prompt"], "student_solution": r["response"]} for r in records]
    started = time.perf_counter()
    with Pipeline("clair", cache_dir=cache) as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=batch)
        load >> CLAIR(llm=Instant(reply=reply), input_batch_size=batch)
    made = pipeline.run(use_cache=False)["default"]["train"]
    seconds = time.perf_counter() - started
    assert len(made) == len(data) and made[0]["revision"], made[0]
    print("seconds", seconds)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1000, help="distilabel's batch size")
    given = parser.parse_args()
    python = distilabel_python()
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "theirs.py").write_text(THEIRS)
        with (folder / "rows.jsonl").open("w") as file:
            for n in range(given.rows):
                row = {"prompt": f"What is {n} plus one?", "response": ANSWER.format(n=n)}
                file.write(json.dumps(row) + "\n")
        reply = f"<rationale>the sum was wrong</rationale>\n<revision>{REVISION}</revision>"
        (folder / "reply.jsonl").write_text(json.dumps({"text": reply}) + "\n")
        for number in range(given.rounds):
            before = cpu_seconds()
            theirs = given.rows / timed_theirs(python, folder, given.batch)
            between = cpu_seconds()
            one = given.rows / timed_ours(folder, 1)
            after = cpu_seconds()
            two = given.rows / timed_ours(folder, 2)
            ratios.append(max(one, two) / theirs)
            cpu = [(b - a) / given.rows * 1e6 for a, b in ((before, between), (between, after))]
            print(
                f"{number + 1}: distilabel {theirs:,.0f} rows/s; ours {one:,.0f} in one process, "
                f"{two:,.0f} in two; processor time a row: {cpu[0]:,.0f} and {cpu[1]:,.0f} µs",
                flush=True,
            )
    print(f"ratio: {statistics.median(ratios):.2f}")


def cpu_seconds() -> float:
    """Processor time of all commands so far, start and imports included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def distilabel_python() -> Path:
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / ".installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, "--no-deps", "distilabel==1.5.3"], check=True)
        subprocess.run([*install, *NEEDS.split()], check=True)
        (ENVIRONMENT / ".installed").touch()
    return python


def timed_theirs(python: Path, folder: Path, batch: int) -> float:
    reply = f"**{{teacher_reasoning}}**: the sum\n\n**{{corrected_student_solution}}**: {REVISION}"
    arguments = [folder / "rows.jsonl", reply, batch, folder / "cache"]
    command = [str(python), str(folder / "theirs.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    last = done.stdout.strip().rpartition("\n")[2]
    assert last.startswith("seconds"), done.stderr[-2000:]
    return float(last.split()[1])


def timed_ours(folder: Path, workers: int) -> float:
    out = folder / "ours"
    command = [sys.executable, "-m", "pairwright", "revise", str(folder / "rows.jsonl")]
    command += ["--reviser", f"canned:{folder / 'reply.jsonl'}", "--out", str(out), "--no_retry"]
    shares = [[]] if workers == 1 else [["--shard", f"{n}/{workers}"] for n in range(workers)]
    started = time.perf_counter()
    running = [subprocess.Popen(command + share, stdout=subprocess.DEVNULL) for share in shares]
    assert [process.wait() for process in running] == [0] * workers
    seconds = time.perf_counter() - started
    assert json.loads((out / "run.json").read_text())["complete"]
    shutil.rmtree(out)
    return seconds


if __name__ == "__main__":
    main()
