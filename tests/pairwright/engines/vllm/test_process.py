"""A kept process and all that comes of it end with whoever started it, however that ends."""

import os
import queue
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pairwright.engines.vllm.process import SupervisedProcess

TREE = """
import os, subprocess, sys, time
from multiprocessing import shared_memory
left = shared_memory.SharedMemory(create=True, size=1 << 20, name=os.environ["SEGMENT"])
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]
print(os.getpid(), *(child.pid for child in children), os.environ["KEPT_FOLDER"], flush=True)
for line in sys.stdin:
    print("heard", line.strip(), file=sys.stderr, flush=True)
    print(line.strip().upper(), flush=True)
time.sleep(float(os.environ.get("LINGER", 0)))
"""
PARENT = """
import os, sys, time
from pairwright.engines.vllm.process import SupervisedProcess
kept = SupervisedProcess([sys.executable, "-c", os.environ["TREE"]], os.environ)
print(kept.receive(30).decode(), kept.group, flush=True)
time.sleep(600)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as the keeper does")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"SEGMENT": f"pairwright-test-{os.getpid()}-{tmp_path.name}", "TREE": TREE}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_end(*pids: int, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < ends, f"still there: {left}"
        time.sleep(0.02)


def started(environment: dict[str, str]) -> tuple[SupervisedProcess, list[int], Path]:
    kept = SupervisedProcess([sys.executable, "-c", TREE], environment)
    line = kept.receive(30)
    assert line is not None
    *pids, folder = line.decode().split()
    return kept, [int(pid) for pid in pids], Path(folder)


def test_lines_go_in_and_come_out(environment: dict[str, str]) -> None:
    kept, _, _ = started(environment)
    for n in range(1000):
        kept.send(f"line {n}".encode())
    assert [kept.receive(10) for _ in range(1000)] == [f"LINE {n}\n".encode() for n in range(1000)]
    with pytest.raises(queue.Empty):
        kept.receive(0)
    assert kept.log_tail()[-1] == "heard line 999"
    kept.end(5)


@pytest.mark.parametrize("linger", ["0", "600"])
def test_end_leaves_no_process_no_memory_and_no_file(environment: dict[str, str], linger: str) -> None:
    kept, pids, folder = started(environment | {"LINGER": linger})
    assert folder.is_dir()
    assert all(map(alive, pids))
    kept.end(0.2)
    assert not any(map(alive, [*pids, kept.group]))
    assert not folder.exists()
    assert not Path("/dev/shm", environment["SEGMENT"]).exists()


def test_a_killed_parent_takes_everything_with_it(environment: dict[str, str]) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    words = (parent.stdout.readline() + parent.stdout.readline()).split()
    *pids, folder, group = words
    assert all(alive(int(pid)) for pid in pids)
    parent.kill()
    wait_for_end(*map(int, pids), int(group))
    assert not Path(folder).exists()
    assert not Path("/dev/shm", environment["SEGMENT"]).exists()
    parent.wait()


def test_a_killed_command_is_the_end_of_its_children_too(environment: dict[str, str]) -> None:
    kept, pids, _ = started(environment)
    os.kill(pids[0], signal.SIGKILL)
    assert kept.receive(10) is None
    assert kept.receive(10) is None
    wait_for_end(*pids)
    assert "the process ended with signal 9 (SIGKILL)" in kept.log_tail()
    kept.send(b"to nobody")
    kept.end()


def test_a_killed_keeper_takes_the_command_with_it(environment: dict[str, str]) -> None:
    kept, pids, _ = started(environment)
    os.kill(kept.group, signal.SIGKILL)
    assert kept.receive(10) is None
    wait_for_end(*pids[:2])
    kept.end()
    os.kill(pids[2], signal.SIGKILL)  # it left the session, and nobody lives who knew it
    Path("/dev/shm", environment["SEGMENT"]).unlink(missing_ok=True)


def test_half_a_line_is_no_line() -> None:
    kept = SupervisedProcess([sys.executable, "-c", "print('whole'); print('half', end='')"], os.environ)
    assert kept.receive(10) == b"whole\n"
    assert kept.receive(10) is None
    kept.end()


def test_a_stopped_process_does_not_hold_up_its_end(environment: dict[str, str]) -> None:
    kept, pids, _ = started(environment)
    os.kill(pids[0], signal.SIGSTOP)
    for _ in range(3):
        kept.send(b"x" * 2**20)  # more than the pipe holds
    kept.end(0.2)
    wait_for_end(*pids)
