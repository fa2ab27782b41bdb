"""The data set card of a run folder: what `datasets.load_dataset` loads, and how it was made."""

import json
from pathlib import Path

import yaml

from pairwright.durable import write_durably
from pairwright.manifest import Manifest
from pairwright.records import KEPT

STATS = "stats.json"

_TAGS = {
    "sample": ["synthetic", "pairwright"],
    "score": ["reward", "synthetic", "pairwright"],
    "revise": ["preference", "dpo", "synthetic", "pairwright"],
    "judge": ["preference", "dpo", "synthetic", "pairwright"],
}


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write `README.md` (front matter that loads exactly the kept rows) and `stats.json`."""
    counts = manifest.counts
    stats = {
        "rows": sum(counts.values()),
        "kept": counts.get(KEPT, 0),
        "kept_rows": manifest.kept_rows,
        "by_status": dict(sorted(counts.items())),
        "prompt_tokens": sum(s.prompt_tokens for s in manifest.shards.values()),
        "completion_tokens": sum(s.completion_tokens for s in manifest.shards.values()),
        "seconds": manifest.seconds,
    }
    write_durably(folder / STATS, (json.dumps(stats, indent=1) + "\n").encode())
    write_durably(folder / "README.md", _card(folder, manifest).encode())


def _card(folder: Path, manifest: Manifest) -> str:
    front = yaml.safe_dump(
        {
            "configs": [
                {
                    "config_name": "default",
                    "data_files": [{"split": "train", "path": "data/*.parquet"}],
                }
            ],
            "tags": _TAGS.get(manifest.stage, ["pairwright"]),
        },
        sort_keys=False,
    )
    counts = manifest.counts
    rows = "\n".join(f"| `{status}` | {n:,} |" for status, n in sorted(counts.items()))
    engines = "\n".join(f"| {role} | `{name}` |" for role, name in manifest.engines.items())
    settings = json.dumps(manifest.semantic | manifest.gate, indent=1, ensure_ascii=False)
    return f"""---
{front}---

# {folder.name}

{counts.get(KEPT, 0):,} of {manifest.items:,} rows kept, made by `pairwright {manifest.stage}`.
`data/` holds the kept rows and `dropped/` all others, with the reason for each.

| status | rows |
|---|---|
{rows}

| role | model |
|---|---|
{engines}

The instructions that the models were given are in `templates/`. Settings:

```json
{settings}
```
"""
