"""Hash of a model folder: whole small files, and samples of large ones."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_EDGE = 2**20
_SAMPLES, _SAMPLE = 256, 2**16
_TEXTS = (
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
_MORE = ("*.py", "additional_chat_templates/*.jinja")


def fingerprint(folder: Path) -> str:
    """Return the hash of a model folder: 12 hex digits over its weights, configuration, tokenizer and code.

    Of each weights file it reads the size, both ends and 256 places between, so a fine-tune shows and
    100 GB take a second; a change of one matrix alone may not, in a file of more than 16 MiB. The folder's
    own name and place do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
        for block in _blocks(path):
            digest.update(block)
    more = (path for kind in _MORE for path in sorted(folder.glob(kind)))
    for path in (*(folder / name for name in _TEXTS), *more):
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def save_tokenizer(tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """Write a tokenizer's files, the same whether or not the hub could be reached when it was loaded.

    transformers notes that in them, overwrites it at every load, and the hash would tell it apart.
    """
    if "local_files_only" in tokenizer.init_kwargs:
        tokenizer.init_kwargs["local_files_only"] = True
    tokenizer.save_pretrained(folder)


def file_fingerprint(path: Path) -> str:
    """Return the hash of one large file, read in places as `fingerprint` does: 12 hex digits."""
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()[:12]


def _blocks(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        yield file.read(_EDGE)
        for i in range(_SAMPLES):
            file.seek(i * size // _SAMPLES)
            yield file.read(_SAMPLE)
        file.seek(max(0, size - _EDGE))
        yield file.read()
