"""Where vLLM is, and which of its settings change what a model answers."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from pairwright.errors import UsageError
from pairwright.models.names import ADAPTER_CONFIG
from pairwright.records import content_hash

PYTHON = "python"
"""The one setting that is ours: the Python of the environment that vLLM is installed in."""
PYTHON_VARIABLE = "PAIRWRIGHT_VLLM_PYTHON"

_OPERATIONAL_NAMES = """
    python tensor_parallel_size pipeline_parallel_size data_parallel_size distributed_executor_backend
    gpu_memory_utilization kv_cache_memory_bytes max_model_len max_num_seqs max_num_batched_tokens
    max_num_partial_prefills long_prefill_token_threshold enable_chunked_prefill enable_prefix_caching
    prefix_caching_hash_algo block_size swap_space cpu_offload_gb enforce_eager compilation_config
    optimization_level cudagraph_capture_sizes max_cudagraph_capture_size disable_custom_all_reduce
    download_dir load_format max_parallel_loading_workers disable_log_stats async_scheduling
    scheduling_policy max_logprobs numa_bind device_ids enable_expert_parallel
"""
OPERATIONAL = frozenset(_OPERATIONAL_NAMES.split())
"""vLLM's arguments that change how fast it works, and not what it computes but for rounding."""

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM makes room for (`max_lora_rank`)."""
_KEPT_FROM_IT = ("_API_KEY", "_SECRET", "_SECRET_KEY", "_ACCESS_KEY", "_PASSWORD")


def vllm_identity(model: str, settings: Mapping[str, str]) -> str:
    """Return the model and the settings that change its answers, as request keys hold them."""
    changed = {name: value for name, value in settings.items() if name not in OPERATIONAL}
    return f"vllm:{model}:{content_hash(changed)[:12]}" if changed else f"vllm:{model}"


def rank_for(adapter: str) -> int:
    """Return the lowest of vLLM's ranks that fits an adapter. Raises `UsageError` if none is enough."""
    said = json.loads((Path(adapter) / ADAPTER_CONFIG).read_bytes())
    rank = max(said.get("r", 0), *(said.get("rank_pattern") or {"": 0}).values())
    if (found := least_rank(rank)) is None:
        raise UsageError(f"{adapter}: an adapter of rank {rank}; vLLM takes at most {_RANKS[-1]}: merge it")
    return found


def least_rank(rank: int) -> int | None:
    """Return the lowest of vLLM's ranks that holds this rank; None if none does."""
    return next((known for known in _RANKS if known >= rank), None)


def vllm_python(settings: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> str:
    """Return the Python that runs vLLM: `--engine.python`, else the environment's, else this one.

    Raises `UsageError` when there is none, or vLLM is installed nowhere that we know of.
    """
    for named, source in (
        (settings.get(PYTHON), "--engine.python"),
        (environ.get(PYTHON_VARIABLE), PYTHON_VARIABLE),
    ):
        if named:
            found = shutil.which(str(Path(named).expanduser()))
            if found is None:
                raise UsageError(f"{source} {named}: there is no such program; name a Python that has vllm")
            return found
    if importlib.util.find_spec("vllm") is None:
        raise UsageError(
            "vllm is not installed here: pip install 'pairwright[vllm]', or name the Python of an "
            f"environment that has it with --engine.python PATH or in {PYTHON_VARIABLE}"
        )
    return sys.executable


def worker_environment(python: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of the worker: without secrets, which a model server has no use for."""
    kept = {name: value for name, value in environ.items() if not name.endswith(_KEPT_FROM_IT)}
    if python != sys.executable:
        kept.pop("PYTHONPATH", None)  # made for this Python, not for that one
        kept.pop("PYTHONHOME", None)
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
    # Else a folder of ours would stand before vLLM's own modules, in its child processes too.
    return kept | quiet | {"PYTHONSAFEPATH": "1"}
