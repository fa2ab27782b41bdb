"""Model folders: whether one can be loaded, and a short hash of what is in it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from pairwright.errors import UsageError
from pairwright.hub import ask_no_hub_in_vain

_SAMPLES, _SAMPLE = 256, 2**16
_EDGE = 2**20
_TEXTS = (
    "config.json",
    "adapter_config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def resolve_model(name: str) -> str:
    """What transformers loads for `name`: `smollm2`, a local folder, or a hub id as it is.

    Raises `UsageError` for a folder that is not there or holds no model.
    """
    if name == "smollm2":
        from pairwright.models.smollm2 import smollm2_folder

        return str(smollm2_folder())
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.startswith((".", "/", "~")) or name.count("/") > 1:
            raise UsageError(f"{name}: there is no such folder.")
        return name
    _check(folder)
    return str(folder)


def find_model(name: str) -> str:
    """What `resolve_model` gives; a hub id that is none is refused here, not after many tries."""
    place = resolve_model(name)
    if not Path(place).is_dir():
        _commit(name)
    return place


def _check(folder: Path) -> None:
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise UsageError(f"{folder} has no config.json; name a folder that holds a model.")
    if not any(folder.glob("*.safetensors")):
        raise UsageError(f"{folder} has no weights (*.safetensors).")


def model_identity(name: str, dtype: str = "auto") -> str:
    """Model and revision, as request keys hold them: `smollm2@8c2f01ab34de:auto`.

    A folder counts by what is in it, wherever it lies; a hub id by its commit. Loads no model.
    Raises `UsageError` as `resolve_model` does, and when a hub id cannot be found.
    """
    source = Path(resolve_model(name))
    if not source.is_dir():
        return f"{name}@{_commit(name)}:{dtype}"
    label = name if name == "smollm2" else "folder"
    return f"{label}@{fingerprint(source)}:{dtype}"


def _commit(hub_id: str) -> str:
    from transformers.utils import cached_file

    ask_no_hub_in_vain()
    try:
        with quiet():
            config = cached_file(hub_id, "config.json")
    except OSError as error:
        if "gated repo" in str(error):
            raise UsageError(
                f"{hub_id} is shown to some only: ask for access at https://huggingface.co/{hub_id}, then "
                "`hf auth login` or HF_TOKEN"
            ) from error
        meant = get_close_matches(hub_id.lower(), ["smollm2"], cutoff=0.8)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        raise UsageError(f"{hub_id} is neither a folder here nor a model on the hub.{hint}") from error
    return Path(str(config)).parent.name[:12]


def fingerprint(folder: Path) -> str:
    """Hash of a model folder: 12 hex digits over its weights, configuration and tokenizer.

    Of each weights file it reads the size, both ends and 256 places between, so a fine-tune of any
    one matrix shows and 100 GB take a second. The folder's own name and place do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
        for block in _blocks(path):
            digest.update(block)
    for path in (folder / name for name in _TEXTS):
        if path.is_file():
            digest.update(f"{path.name}:{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def file_fingerprint(path: Path) -> str:
    """Hash of one large file, read in places as `fingerprint` does: 12 hex digits."""
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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing progress bars and warning of what we know."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
