"""Freed memory stays within the context and goes back after it; seen from outside, in a fresh process."""

import subprocess
import sys

import pytest

MEASURE = """
import os, torch
from train.devices.memory import freed_memory_kept

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20

def use():
    for _ in range(3):
        torch.ones(2**26)  # 256 MiB
    return resident()

before = resident()
given_back = use() - before
with freed_memory_kept():
    kept = use() - before
print(given_back, kept, resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is tested is glibc")
def test_freed_memory_is_kept_and_goes_back_in_the_end() -> None:
    found = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    ).stdout
    given_back, kept, after = map(int, found.split())
    assert given_back < 64
    assert kept >= 256
    assert after < 64
