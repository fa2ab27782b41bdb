"""Model folders: whether one can be loaded, and a short hash of what is in it."""

import json
from difflib import get_close_matches
from pathlib import Path

from pairwright.errors import UsageError
from pairwright.models.dated import other_date
from pairwright.models.fingerprint import fingerprint
from pairwright.models.hub import go_offline_if_unreachable
from pairwright.models.quiet import quiet

ADAPTER_CONFIG = "adapter_config.json"


def resolve_model(name: str) -> str:
    """Return what transformers loads for `name`: `smollm2`, a local folder, or a hub id as it is.

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
    """Return `resolve_model` of a name; a malformed hub id is refused at once, not after many tries."""
    place = resolve_model(name)
    if not Path(place).is_dir():
        _commit(name)
    return place


def _check(folder: Path) -> None:
    if not any((folder / name).is_file() for name in ("config.json", ADAPTER_CONFIG)):
        raise UsageError(f"{folder} has no config.json; name a folder that holds a model.")
    if not any(folder.glob("*.safetensors")):
        raise UsageError(f"{folder} has no weights (*.safetensors).")


def is_adapter(place: str) -> bool:
    """Return whether a folder holds an adapter of `peft` in place of a model."""
    return (Path(place) / ADAPTER_CONFIG).is_file()


def adapter_mark(place: str) -> str:
    """Return a short hash of a folder's adapter. Raises `UsageError` if it holds none."""
    folder = Path(place).expanduser()
    if not is_adapter(str(folder)):
        raise UsageError(f"--adapter {place}: no folder of a peft adapter (there is no {ADAPTER_CONFIG})")
    _check(folder)
    return fingerprint(folder)


def base_of(place: str) -> str:
    """Return `resolve_model` of the base that a folder's adapter was trained on.

    Raises `UsageError` for an adapter that names no base, or one that cannot be found.
    """
    try:
        named = json.loads((Path(place) / ADAPTER_CONFIG).read_bytes()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        named = None
    if not named:
        raise UsageError(f"{place}: its {ADAPTER_CONFIG} names no base model (base_model_name_or_path)")
    try:
        return find_model(str(named))
    except UsageError as error:
        raise UsageError(f"{place} is an adapter, and its base cannot be found: {error}") from error


def base_and_adapter(name: str, adapter: str = "") -> tuple[str, str]:
    """Return the places of a model that `resolve_model` takes and of its adapter, `""` without one.

    `adapter` names one beside the model. Raises `UsageError` where the model is an adapter itself.
    """
    place = resolve_model(name)
    if not is_adapter(place):
        return place, str(Path(adapter).expanduser()) if adapter else ""
    if adapter:
        raise UsageError(f"--adapter {adapter}: {name} is an adapter itself; name its base in its place")
    return base_of(place), place


def model_identity(name: str, dtype: str = "auto") -> str:
    """Return a model and its revision, as request keys hold them: `smollm2@8c2f01ab34de:auto`.

    A folder counts by what is in it, wherever it lies; a hub id by its commit. Loads no model.
    Raises `UsageError` as `resolve_model` does, and when a hub id cannot be found.
    """
    source = Path(resolve_model(name))
    if not source.is_dir():
        return f"{name}@{_commit(name)}:{dtype}{other_date()}"
    label = name if name == "smollm2" else "folder"
    on = f"+{model_identity(base_of(str(source)), '')}" if is_adapter(str(source)) else ""
    return f"{label}@{fingerprint(source)}{on}:{dtype}{other_date()}"


def _commit(hub_id: str) -> str:
    from transformers.utils import cached_file

    go_offline_if_unreachable()
    try:
        with quiet():
            config = cached_file(hub_id, "config.json")
    except OSError as error:
        if "gated repo" in str(error):
            raise UsageError(
                f"{hub_id} is a gated model: ask for access at https://huggingface.co/{hub_id}, then "
                "`hf auth login` or HF_TOKEN"
            ) from error
        meant = get_close_matches(hub_id.lower(), ["smollm2"], cutoff=0.8)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        raise UsageError(f"{hub_id} is neither a folder here nor a model on the hub.{hint}") from error
    return Path(str(config)).parent.name[:12]
