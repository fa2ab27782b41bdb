"""A finished run on a disk that can only be read says what came of it; anything else is one sentence."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from in_process import quietly, run

from pairwright.errors import PairwrightError
from pairwright.folders.durable import write_durably
from pairwright.folders.manifest import load_manifest


@contextmanager
def read_only() -> Iterator[None]:
    """Nothing can be opened for writing, made, removed or renamed."""
    opened, access = os.open, os.access

    def refused(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def only_reading(path: Any, flags: int, *more: Any, **named: Any) -> int:
        return refused() if flags & (os.O_WRONLY | os.O_RDWR) else opened(path, flags, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", only_reading)
        patch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
        for name in ("rename", "replace", "unlink"):
            patch.setattr(os, name, refused)
        yield


def test_what_is_finished_is_told_and_what_is_not_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    (tmp_path / "said.jsonl").write_text('{"text": "An answer that is long enough."}\n')
    sample = f"sample {tmp_path}/p.jsonl --policy canned:{tmp_path}/said.jsonl --out {tmp_path}/run --n"
    merge = f"merge {tmp_path}/run --out {tmp_path}/merged".split()
    finished = ([*sample.split(), "1"], merge)
    for command in finished:
        quietly(*command)
    with read_only():
        for command in finished:
            quietly(*command)
        for more in (["1", "--fresh"], ["2"]):
            code, _, error = run(capfd, *sample.split(), *more)
            assert (code, "nothing can be written to this folder" in error) == (1, True)
    assert load_manifest(tmp_path / "run").complete


def test_a_file_that_holds_already_what_is_to_be_written_is_no_failure(tmp_path: Path) -> None:
    write_durably(tmp_path / "table.json", b"{}")
    with read_only():
        write_durably(tmp_path / "table.json", b"{}")
        with pytest.raises(PairwrightError, match="Read-only file system while writing 2 bytes"):
            write_durably(tmp_path / "table.json", b"[]")
