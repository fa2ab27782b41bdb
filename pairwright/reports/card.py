"""The data set card of a run folder: what `datasets.load_dataset` loads, and how it was made."""

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.folders.durable import write_durably
from pairwright.folders.front_matter import front_matter, with_front_matter
from pairwright.folders.json_record import read_json
from pairwright.folders.manifest import Manifest
from pairwright.pairs.word_diff import word_diff
from pairwright.terminal.text import printable

if TYPE_CHECKING:
    from jinja2 import Template

STATS = "stats.json"
CARD = "README.md"
_EXAMPLE_CHARACTERS = 1500
_SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M"}

_PREFERENCE = ["preference", "dpo", "synthetic", "pairwright"]
_TAGS = {
    "sample": ["synthetic", "pairwright"],
    "score": ["reward", "synthetic", "pairwright"],
    "revise": _PREFERENCE,
    "judge": _PREFERENCE,
}


def write_card(folder: Path, manifest: Manifest) -> None:
    """Write `stats.json`, which is the folder's figures, and `README.md`, which is the card.

    Front matter that somebody added to an earlier card, such as the licence, stays.
    """
    from pairwright.figures.rows import rows_of_run

    rows = rows_of_run(folder, manifest)
    write_durably(folder / STATS, (rows.model_dump_json(indent=1) + "\n").encode())
    write_durably(folder / CARD, _card(folder, manifest, rows).encode("utf-8", "replace"))


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # this is Markdown
    )
    return environment.get_template("card.md.j2")


def _card(folder: Path, manifest: Manifest, rows: Any) -> str:
    size = next((name for most, name in _SIZES.items() if rows.kept_rows < most), "n>1M")
    front = front_matter(folder / CARD) | {
        "configs": [
            {"config_name": "default", "data_files": [{"split": "train", "path": "data/*.parquet"}]}
        ],
        "tags": _TAGS.get(manifest.stage, ["pairwright"]),
        "size_categories": [size],
    }
    example = _example(folder, manifest)
    fence = _fence(example["prompt"] + example["text"]) if example else ""
    body = _template().render(
        front=front,
        name=folder.absolute().name,
        rows=rows,
        calibration=_calibration(folder, manifest),
        example=example,
        fence=fence,
        engines=manifest.engines,
        input=manifest.input,
        templates=sorted(p.name for p in (folder / "templates").glob("*.j2")),
        versions=", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        gate=_json(manifest.gate) if manifest.gate else "",
        settings=_json(manifest.semantic),
    )
    return with_front_matter(body, front)


def _calibration(folder: Path, manifest: Manifest) -> dict[str, Any] | None:
    """What was measured of the judge: by this run itself, or by the one it was told of."""
    measured = Path(manifest.config.get("calibration") or folder)
    return read_json(measured / "calibration.json", "run pairwright calibrate again")


def _example(folder: Path, manifest: Manifest) -> dict[str, str] | None:
    """The first pair in the order of ids; rows that lack one answer are none."""
    import polars as pl

    from pairwright.figures.rows import collect, columns_of, scan

    frame = scan(folder, manifest, "data")
    if frame is None or not {"chosen", "rejected"} <= set(columns_of(frame, folder)):
        return None
    frame = frame.filter(pl.col("chosen").list.len() > 0, pl.col("rejected").list.len() > 0)
    first = collect(frame.select("row_id").min(), folder).item()
    if first is None:
        return None
    columns = ("row_id", "prompt", "chosen", "rejected")
    row = collect(frame.filter(pl.col("row_id") == first).select(columns), folder).to_dicts()[0]
    rejected, chosen = (printable(row[side][-1]["content"]) for side in ("rejected", "chosen"))
    return {
        "row_id": row["row_id"],
        "prompt": _cut(printable(row["prompt"][-1]["content"])),
        "text": _cut(word_diff(rejected, chosen, markers=True).plain),
    }


def _fence(text: str) -> str:
    """A fence that nothing in the text can close."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE_CHARACTERS else text[:_EXAMPLE_CHARACTERS] + " …"


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False)
