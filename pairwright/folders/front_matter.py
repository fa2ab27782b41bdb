"""The YAML at the head of a card, read and written as the hub's client does, without loading that client.

It takes a third of a second, for which every command would wait that writes a folder.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_HEAD = re.compile(r"\A\s*---\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


def front_matter(card: Path) -> dict[str, Any]:
    """Read the YAML at the head of a card; nothing where there is none that can be read."""
    try:
        head = _HEAD.match(card.read_text(encoding="utf-8-sig"))
        fields = yaml.safe_load(head[1]) if head else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return {str(name): value for name, value in fields.items()} if isinstance(fields, dict) else {}


def with_front_matter(body: str, front: Mapping[str, Any]) -> str:
    """Put YAML at the head of a card's text, in the order given, without what is None."""
    said = {name: value for name, value in front.items() if value is not None}
    head = yaml.dump(said, sort_keys=False, allow_unicode=True).strip()
    return f"---\n{head}\n---\n\n{body.lstrip()}"
