"""The rows that a report shows in full."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pairwright.figures.rows import RunRows, collect, scan
from pairwright.folders.manifest import Manifest, load_manifest
from pairwright.pairs.word_diff import pieces
from pairwright.records import KEPT
from pairwright.terminal.text import printable

if TYPE_CHECKING:
    import polars as pl

Shown = dict[str, Any]
"""A row as the page's script reads it: only text, numbers and lists of them."""

_MEASURES = (
    *("edit_distance", "kept_share", "length_ratio", "margin", "score", "answer_score", "revision_score"),
    *("attempts", "completion_tokens"),
)
_LINEAGE = ("source", "chosen_model", "rejected_model", "completion_model")


def examples_of(folder: Path, rows: RunRows, run: int, most: int) -> list[Shown]:
    """Return at most `most` rows of a run, some of every status.

    A row's id is a hash of its content: the first ones in the order of ids are a fair sample, and
    the same one everywhere.
    """
    manifest = load_manifest(folder)
    wanted = quotas(rows.by_status | {KEPT: rows.kept_rows}, most)
    found = []
    for status in rows.by_status:
        for record in _rows(folder, manifest, status, wanted.get(status, 0)):
            found.append(shown(record, status, run))
    return found


def quotas(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Return how many rows of each status to show: equal parts, the remainder first from kept rows."""
    counts = {status: n for status, n in counts.items() if n}
    if not counts:
        return {}
    part = max(most // len(counts), 1)
    found = {status: min(n, part) for status, n in counts.items()}
    for status in sorted(counts, key=lambda s: (s != KEPT, -counts[s], s)):
        found[status] += min(counts[status] - found[status], max(most - sum(found.values()), 0))
    return found


def _rows(folder: Path, manifest: Manifest, status: str, number: int) -> Iterator[dict[str, Any]]:
    import polars as pl

    frame = scan(folder, manifest, "data" if status == KEPT else "dropped")
    if frame is None or not number:
        return
    if status != KEPT:
        frame = frame.filter(pl.col("status") == status)
    ids = _first_ids(frame, number, folder)
    yield from collect(frame.filter(pl.col("row_id").is_in(ids)).sort("row_id"), folder).to_dicts()


def _first_ids(frame: "pl.LazyFrame", number: int, folder: Path) -> list[str]:
    ids = collect(frame.select("row_id").sort("row_id").head(number), folder)
    return ids["row_id"].to_list()


def shown(record: Mapping[str, Any], status: str, run: int) -> Shown:
    """Return a row as the page shows it."""
    chosen, rejected, answer = (_said(record.get(n)) for n in ("chosen", "rejected", "completion"))
    if chosen is not None and rejected is not None:
        text = [[kind[0], printable(piece)] for kind, piece in pieces(rejected, chosen)]
    else:
        text = [["s", printable(next((t for t in (answer, rejected, chosen) if t is not None), ""))]]
    verdict = record.get("verdict") or {}
    found = {name: record.get(name) for name in _MEASURES} | {"preference": verdict.get("preference")}
    facts = {name: _rounded(value) for name, value in found.items()}
    return {
        "id": str(record["row_id"]),
        "run": run,
        "status": status,
        "pair": chosen is not None and rejected is not None,
        "prompt": [[m["role"], printable(m["content"] or "")] for m in record.get("prompt") or ()],
        "text": text,
        "facts": {name: value for name, value in facts.items() if value is not None},
        "lineage": {n: printable(str(record[n])) for n in _LINEAGE if record.get(n) is not None},
        "reason": printable(record.get("reason") or ""),
        "rationale": printable(record.get("rationale") or ""),
        "edits": [_edit(edit) for edit in record.get("edits") or ()],
        "votes": [_vote(vote) for vote in verdict.get("votes") or ()],
    }


def _said(messages: Any) -> str | None:
    """The text of an answer, which is one message; None where there is none."""
    return messages[-1]["content"] if messages else None


def _edit(edit: Any) -> dict[str, str]:
    """An edit as the reviser gave it; fields are find, replace and reason."""
    fields = edit if isinstance(edit, dict) else {"edit": edit}
    return {name: printable(str(value)) for name, value in fields.items() if value is not None}


def _vote(vote: Mapping[str, Any]) -> dict[str, Any]:
    first = vote.get("chosen_first")
    order = "" if first is None else "chosen first" if first else "rejected first"
    return {
        "judge": printable(vote.get("judge") or ""),
        "order": order or printable(vote.get("aspect") or ""),
        "probability": _rounded(vote.get("probability")),
        "reply": printable(vote.get("reply") or ""),
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def fitted(examples: list[Shown], size_of: Callable[[list[Shown]], int], most_bytes: int) -> list[Shown]:
    """Shorten the texts of examples until they fit; if that is not enough, drop every second example.

    `size_of` says how many bytes the page needs for a list of them.
    """
    longest = 8000
    found = [shortened(e, longest) for e in examples]
    while size_of(found) > most_bytes and longest > 250:
        longest //= 2
        found = [shortened(e, longest) for e in examples]
    while size_of(found) > most_bytes:
        found = found[::2]
    return found


def shortened(example: Shown, longest: int) -> Shown:
    """Return the example with no text longer than `longest` characters; cuts are marked."""
    texts = {name: _cut(example[name], longest) for name in ("reason", "rationale")}
    votes = [vote | {"reply": _cut(vote["reply"], longest // 4)} for vote in example["votes"]]
    edits = [{n: _cut(v, longest // 4) for n, v in edit.items()} for edit in example["edits"]]
    return example | texts | {
        "prompt": [[role, _cut(text, longest)] for role, text in example["prompt"]],
        "text": _cut_pieces(example["text"], longest),
        "votes": votes,
        "edits": edits,
    }  # fmt: skip


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} … [{len(text) - longest:,} more characters]"


def _cut_pieces(found: list[list[str]], longest: int) -> list[list[str]]:
    left = longest
    cut: list[list[str]] = []
    for kind, text in found:
        if left <= 0:
            more = sum(len(t) for _, t in found) - longest
            return [*cut, ["s", f" … [{more:,} more characters]"]]
        cut.append([kind, _cut(text, left)])
        left -= len(text)
    return cut
