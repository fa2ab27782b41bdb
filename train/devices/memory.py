"""Memory: the peak of a run, giving it back, and keeping freed memory on CPUs."""

import ctypes
import gc
import platform
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def peak_memory_gib() -> float:
    """Return this process's peak memory in GiB: of the GPU if there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    unit = 1 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def release_memory() -> None:
    """Return the GPU memory of deleted models, for which other processes wait."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER, _NONE = -1, 0
_USUAL_TRIM_THRESHOLD, _USUAL_MMAP_MAX = 2**17, 2**16


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Open a block in which freed memory stays with the process; its end returns it to the system.

    Does nothing without glibc.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt") or not hasattr(libc, "malloc_trim"):
        yield
        return
    libc.mallopt(_M_MMAP_MAX, _NONE)
    libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_M_MMAP_MAX, _USUAL_MMAP_MAX)
        libc.mallopt(_M_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD)
        libc.malloc_trim(0)
