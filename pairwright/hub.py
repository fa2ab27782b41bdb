"""Data sets of the Hugging Face hub: as a source of records, and as a place to put them."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import TEMPORARY
from pairwright.inputs.sources import CHUNK, plain_schema

if TYPE_CHECKING:
    import datasets

_CONNECT_SECONDS = 3.0


class HubDataset:
    """A split of a data set, downloaded once and read from the cache."""

    def __init__(self, name: str, split: str) -> None:
        self._name = f"{name}:{split}"
        self._rows = _load(name, split).with_format("arrow")
        self.schema = plain_schema(self._rows.data.schema)

    def sha256(self) -> str:
        """Hash of the name, the revision and the size.

        The cache keeps each revision in a folder of its own.
        """
        revisions = sorted({Path(f["filename"]).parent.name for f in self._rows.cache_files})
        known = json.dumps([self._name, revisions, len(self._rows)])
        return hashlib.sha256(known.encode()).hexdigest()

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        for table in self._rows.iter(batch_size=CHUNK):
            for record in table.cast(self.schema).to_pylist():
                number += 1
                yield f"{self._name} row {number}", record


def _load(name: str, split: str) -> "datasets.Dataset":
    ask_no_hub_in_vain()
    import datasets

    datasets.logging.set_verbosity_error()
    try:
        return datasets.load_dataset(name, split=split)
    except Exception as error:  # the hub client raises many kinds, all of them about this name
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{name}: no such file or folder, and not to be had as a data set of the hub ({reason})"
        ) from None


def ask_no_hub_in_vain() -> None:
    """Keep the hub client to its cache when the hub cannot be reached: it would try for half a minute."""
    if reachable():
        return
    os.environ["HF_HUB_OFFLINE"] = "1"  # read once, at import
    import datasets
    import huggingface_hub

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True


def reachable() -> bool:
    """Whether the hub can be connected to. Behind a proxy only a request could tell, so: yes."""
    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if address.scheme in getproxies():
        return True
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def push_folder(folder: Path, name: str, *, private: bool = False) -> str:
    """Put a folder on the hub as a data set, made if it is not there; returns where it is.

    The token is the hub client's own: `HF_TOKEN`, or what `hf auth login` kept.
    """
    if name.count("/") > 1 or not name.strip("/"):
        raise UsageError(f"--push_to_hub {name}: a data set is named user/name")
    if not reachable():
        raise PairwrightError(f"--push_to_hub {name}: the hub cannot be reached; {folder} is written")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        place = api.create_repo(name, repo_type="dataset", private=private or None, exist_ok=True)
        api.upload_folder(
            repo_id=place.repo_id,
            repo_type="dataset",
            folder_path=folder,
            commit_message="Pairs from pairwright",
            ignore_patterns=[f"**/{TEMPORARY}*", "journal.sqlite*", ".lock"],
        )
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PairwrightError(f"--push_to_hub {name}: {reason}; {folder} is written") from None
    return str(place)
