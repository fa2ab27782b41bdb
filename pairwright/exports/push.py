"""Push a folder to the Hugging Face hub as a data set."""

import os
from pathlib import Path

from pairwright.errors import PairwrightError, UsageError
from pairwright.folders.durable import TEMPORARY
from pairwright.hub import reachable


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
