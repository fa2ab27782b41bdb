"""A hook of mkdocs: pages that the navigation does not list stand in it all the same, at its end."""

from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Add what is in the folder and not in `nav`."""
    listed = set(_pages(config["nav"]))
    others = sorted(p.name for p in Path(config["docs_dir"]).glob("*.md") if p.name not in listed)
    if others:
        config["nav"].append({"More": others})
    return config


def _pages(entries: Any) -> list[str]:
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    return [page for value in values for page in _pages(value)]
