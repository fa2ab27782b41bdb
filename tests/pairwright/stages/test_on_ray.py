"""A run by actors of a real Ray on this machine: what they make is what one process makes, whoever dies."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alone import alone, as_if_alone
from batch_runs import PROMPTS, sampled, sent
from batch_server import BatchServer
from runs_on_disk import revise_config, rows_of

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.lock import FolderLock
from pairwright.folders.manifest import load_manifest
from revise import revise

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster():
    """A Ray with room for two actors."""
    import ray

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def actors_alive() -> list[int]:
    """Processes of actors, by the title that Ray gives them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            title = path.read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::") and b"Worker" in title and b"IDLE" not in title:
            found.append(int(path.parent.name))
    return found


def test_actors_make_what_one_process_makes(cluster, tmp_path):
    config = revise_config(tmp_path, rows=100)
    golden = alone(tmp_path, config)
    manifest = revise(config.model_copy(update={"ray": True}))
    as_if_alone(tmp_path / "run", golden)
    assert manifest == load_manifest(tmp_path / "run")
    began = time.monotonic()
    assert revise(config.model_copy(update={"ray": True})).shards == manifest.shards
    assert time.monotonic() - began < 5  # no actor is started for a finished run


def test_20_kills_of_actors_lose_nothing(cluster, tmp_path):
    """In as many runs as it takes: how soon an actor is at work depends on the machine."""
    config = revise_config(tmp_path, rows=300, delay=0.2)
    golden = alone(tmp_path, config)
    rng, kills, over = random.Random(3), [], threading.Event()

    def kill() -> None:
        while len(kills) < 20 and not over.is_set():
            time.sleep(rng.uniform(0.2, 0.8))
            victims = actors_alive()
            if victims:
                os.kill(rng.choice(victims), signal.SIGKILL)
                kills.append(1)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for number in range(40):
            run = tmp_path / f"run-{number}"
            revise(config.model_copy(update={"ray": True, "out": str(run)}))
            as_if_alone(run, golden)
            if len(kills) >= 20:
                break
    finally:
        over.set()
        killer.join()
    assert len(kills) == 20


def test_actors_send_batch_jobs_and_none_twice(cluster, tmp_path):
    """One of two is killed while its job is out; it is started again, and finds the job."""
    with BatchServer(looks=4) as server:

        def kill() -> None:
            ends = time.monotonic() + 300
            while not killed and time.monotonic() < ends:
                time.sleep(0.02)
                for victim in actors_alive()[:1] if server.works else ():
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

        killed: list[int] = []
        killer = threading.Thread(target=kill)
        killer.start()
        sampled(tmp_path, server, shard_size=5, ray=True, ray_actors=2)
        killer.join()
    rows = rows_of(tmp_path / "run")
    assert len({row["row_id"] for row in rows}) == len(rows) == PROMPTS
    assert len(killed) == 1
    assert sum(sent(server)) >= PROMPTS - 3  # the first request of whoever begins goes ahead of its job
    assert max(server.worked.values()) == 1


def test_a_worker_that_cannot_go_on_says_why(cluster, tmp_path):
    config = revise_config(tmp_path, rows=40)
    golden = alone(tmp_path, config)
    revise(config.model_copy(update={"shard": "0/2"}))
    told = pytest.raises(PairwrightError, match=r"1 of 2 workers stopped\. .*1-of-2.*another process")
    with FolderLock(tmp_path / "run" / "workers" / "1-of-2"), told:
        revise(config.model_copy(update={"ray": True}))
    revise(config.model_copy(update={"ray": True}))
    as_if_alone(tmp_path / "run", golden)


def test_ray_is_for_all_of_a_run(tmp_path):
    with pytest.raises(UsageError, match="--ray or --shard"):
        revise(revise_config(tmp_path, shard="0/2", ray=True))
    with pytest.raises(UsageError, match=r"--fresh.*without --shard or --ray"):
        revise(revise_config(tmp_path, fresh=True, ray=True))


def test_without_ray_it_is_a_sentence(tmp_path):
    config = revise_config(tmp_path)
    command = [
        sys.executable,
        "-c",
        "import sys; sys.modules['ray'] = None; from pairwright.cli import main; main()",
    ]
    given = ["revise", config.input, "--reviser", config.reviser, "--out", config.out, "--ray"]
    found = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr.count("\n")) == (2, 1)
    assert "pip install 'pairwright[ray]'" in found.stderr
