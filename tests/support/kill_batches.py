"""Kills runs by batch jobs at random moments until so many kills are survived; looks at each that is done.

python kill_batches.py FOLDER KILLS SEED

In a process of its own: a child of a process in which other threads are at work may wait for them forever.
"""

import os
import random
import sys
from pathlib import Path

from batch_runs import PROMPTS, sampled, sent
from batch_server import BatchServer
from forks import forked_call
from runs_on_disk import rows_of

from pairwright.engines.openai.batch import jobs
from pairwright.engines.openai.batch.store import BATCHES


def killed(folder: Path, server: BatchServer, rng: random.Random) -> int:
    """How many kills a run survived until it was finished."""
    kills = 0

    def work() -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sampled(folder, server)

    while forked_call(work, rng.uniform(0.02, 0.4) * (1 + kills / 3)):  # a busy machine needs longer
        kills += 1
    return kills


def survive(folder: Path, kills: int, seed: int) -> int:
    """Begin runs until so many kills are survived; nothing may be lost, or sent twice."""
    jobs.SETTLE = 0.5
    rng, survived, runs = random.Random(seed), 0, 0
    while survived < kills:
        runs += 1
        own = folder / str(runs)
        own.mkdir()
        with BatchServer(looks=rng.randint(0, 3), slow=rng.choice([0.0, 0.05])) as server:
            survived += killed(own, server, rng)
            assert sorted(row["completion"][0]["content"] for row in rows_of(own / "run")) == sorted(
                f"SAY {n}" for n in range(PROMPTS)
            )
            assert set(server.worked.values()) == {1}, "a request was sent twice"
            assert sum(sent(server)) == len(server.worked)
            assert not (own / "run" / BATCHES).exists()
    return survived


if __name__ == "__main__":
    print(survive(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
