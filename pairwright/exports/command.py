"""`pairwright export`: pairs in the form that another trainer takes."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from rich.console import Console
from rich.text import Text

from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.errors import PairwrightError, UsageError
from pairwright.exports.formats import FORMATS, Format, FormatName, Unfit, json_line
from pairwright.folders.claim import refuse_foreign, refuse_reading
from pairwright.folders.durable import TEMPORARY, sync_folder, write_durably
from pairwright.folders.front_matter import front_matter, with_front_matter
from pairwright.inputs.beside import columns_beside
from pairwright.inputs.config import SourceConfig
from pairwright.inputs.names import folder_of
from pairwright.inputs.pairs import read_pairs
from pairwright.inputs.source import CHUNK
from pairwright.inputs.sources import open_source
from pairwright.models.hub import reachable
from pairwright.records import stored
from pairwright.reports.card import CARD
from pairwright.schema import CONVERSATION, calling

RECORD = "export.json"
_TOOLS = pa.field("tools", pa.string())
_SCHEMAS = {
    "trl": pa.schema([(name, CONVERSATION) for name in ("prompt", "chosen", "rejected")]),
    "kto": pa.schema([("prompt", CONVERSATION), ("completion", CONVERSATION), ("label", pa.bool_())]),
}


class PairsConfig(Config):
    """What is exported."""

    group: ClassVar[str] = "Rows and folder"

    run: str = Field(json_schema_extra=POSITIONAL)
    """Pairs: a run folder, a JSON or Parquet file, or a data set, with `chosen` and `rejected`."""


class ExportConfig(SourceConfig, PairsConfig):
    """Write the pairs of a run in the form that another trainer takes, and push them to the hub.

    Example: pairwright export runs/pairs --to trl --out exported
    """

    to: FormatName = Field(json_schema_extra=OPERATIONAL)
    """Whose form: `trl`, `openrlhf`, `llamafactory`, `axolotl`, `openai`; `kto` is TRL's unpaired one,
    and `jsonl` has every column."""
    out: Path = Field(json_schema_extra=OPERATIONAL)
    """Folder to write; an earlier export in it is replaced."""
    skip_bad_rows: int = Field(default=0, ge=0, json_schema_extra=OPERATIONAL)
    """Pass over up to N rows that are no pairs; they are counted and named among those left out."""
    push_to_hub: str | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """Also put the folder on the hub as the data set of this name, `user/name`."""
    private: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Make that data set a private one, if it is new."""

    @property
    def source(self) -> str:
        """The name of what is read, split and all."""
        return self.split_of(self.run)


def export(config: ExportConfig) -> None:
    """Write the folder, report what was left out and why, and push it if asked to."""
    chosen = FORMATS[config.to]
    refuse_foreign(config.out, RECORD, setting="--out")
    refuse_reading(config.out, {"run": config.source}, writes=(), what="an export into it")
    left_out: dict[str, int] = {}
    pairs = _records(config) if config.to == "jsonl" else _pairs(config)
    with _aside(config.out / chosen.file) as temporary:
        schema = _SCHEMAS.get(config.to)
        try:
            written = _write(pairs, chosen, schema, temporary, left_out)
        except _CallsTools:
            left_out.clear()
            wider = calling(schema).append(_TOOLS)
            written = _write(_pairs(config), chosen, wider, temporary, left_out)
        if not written:
            raise PairwrightError(f"{config.run}: nothing to write for {config.to}: {_said(left_out)}")
        record = {"from": config.run, "to": config.to, "rows": written, "left_out": left_out}
        # before any other file, so that the folder of an export that was killed is known as one
        write_durably(config.out / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    for name in {n for form in FORMATS.values() for n in form.files} - {*chosen.files}:
        (config.out / name).unlink(missing_ok=True)  # of an earlier export in another form
    for name, text in chosen.beside.items():
        write_durably(config.out / name, text.encode())
    write_durably(config.out / CARD, _card(config, chosen, written).encode())
    console = Console()
    console.print(Text(f"{config.out / chosen.file}: {written:,} rows for {config.to}"))
    if left_out:
        console.print(Text(_said(left_out)), style="yellow")
    if config.push_to_hub is not None:
        console.print(Text(push_folder(config.out, config.push_to_hub, private=config.private)))


def _pairs(config: ExportConfig) -> Iterator[Mapping[str, Any] | Unfit]:
    """Pairs as messages, or why one is left out. Raises `UsageError` for a row that is not a pair."""
    for pair in read_pairs([config.source], skip=config.skip_bad_rows, weights=False):
        if pair.problem is not None:
            yield Unfit(f"a bad row: {pair.problem}")
        elif pair.tied:
            yield Unfit("a tie, or one answer alone: none is better")
        elif not all(
            answer.content.strip() or answer.tool_calls for answer in (pair.chosen, pair.rejected)
        ):
            yield Unfit("one of the answers is empty")
        elif pair.chosen == pair.rejected:
            yield Unfit("both answers are the same")
        else:
            row = {"prompt": pair.prompt, "chosen": [pair.chosen], "rejected": [pair.rejected]}
            yield {name: stored(value) for name, value in row.items()} | columns_beside(pair.prompt)


def _records(config: ExportConfig) -> Iterator[Mapping[str, Any] | Unfit]:
    """All columns of every row, as they are."""
    bad = 0
    for _, record in open_source(config.source).readable():
        if isinstance(record, UsageError):
            bad += 1
            if bad > config.skip_bad_rows:
                raise record
            yield Unfit(f"a bad row: {record}")
        else:
            yield record


def _write(
    pairs: Iterator[Mapping[str, Any] | Unfit],
    chosen: Format,
    schema: pa.Schema | None,
    path: Path,
    left_out: dict[str, int],
) -> int:
    """Write the rows that fit; returns how many. Reasons of the others are counted in `left_out`."""
    written = 0
    with _writer(path, schema) as write:
        for pair in pairs:
            try:
                if isinstance(pair, Unfit):
                    raise pair
                rows = chosen.rows(pair)
            except Unfit as reason:
                left_out[str(reason)] = left_out.get(str(reason), 0) + 1
                continue
            for row in rows:
                if schema is not None and _TOOLS.name not in schema.names and _calls_tools(row):
                    raise _CallsTools
                write(row)
            written += len(rows)
    return written


class _CallsTools(Exception):
    """A row for which the columns that were begun with have no room."""


def _calls_tools(row: Mapping[str, Any]) -> bool:
    lists = (value for value in row.values() if isinstance(value, list))
    return "tools" in row or any(len(message) > 2 for messages in lists for message in messages)


@contextmanager
def _writer(path: Path, schema: pa.Schema | None) -> Iterator[Any]:
    """A function that writes one row: into Parquet when there is a schema, else as a line of JSON."""
    if schema is None:
        with path.open("w", encoding="utf-8") as file:
            yield lambda row: file.write(json_line(row) + "\n")
        return
    waiting: list[dict[str, Any]] = []
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as parquet:

        def write(row: dict[str, Any]) -> None:
            waiting.append(row)
            if len(waiting) == CHUNK:
                flush()

        def flush() -> None:
            parquet.write_table(pa.Table.from_pylist(waiting, schema=schema))
            waiting.clear()

        yield write
        flush()


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """A file to write to that takes its place when all went well, and is gone when not."""
    is_new = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        yield temporary
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # there is something in it
                path.parent.rmdir()


def _card(config: ExportConfig, chosen: Format, written: int) -> str:
    """A card that loads the file, says how the consumer is pointed at it, and how the rows were made."""
    source = folder_of(config.source) / CARD
    front = front_matter(source) | {
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": chosen.file}]}]
    }
    made = ""
    if source.is_file():
        body = source.read_text().partition("\n---\n")[2].strip()
        made = "\n" + body.replace("\n# ", "\n## ", 1).replace("# ", "## ", 1) + "\n"
    use = chosen.use.replace("DIR", config.push_to_hub or str(config.out))
    body = f"""# {config.out.absolute().name}

{written:,} rows for {config.to}, written by `pairwright export`.

```
{use}
```
{made}"""
    return with_front_matter(body, front)


def _said(left_out: Mapping[str, int]) -> str:
    if not left_out:
        return "it has no rows"
    return "; ".join(f"{n:,} pairs left out: {reason}" for reason, n in left_out.items())


def push_folder(folder: Path, name: str, *, private: bool = False) -> str:
    """Push a folder to the hub as a data set, created if missing; returns its address.

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
