"""Commands run in the test's own process."""

import contextlib
import io
from collections.abc import Collection

import pytest

from pairwright.cli import main


def run(capfd: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in this process."""
    capfd.readouterr()
    try:
        main(argv)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capfd.readouterr()
    return code, out, err


def quietly(*argv: str, codes: Collection[int] = (0,)) -> int:
    """Exit code of a command in this process, which must be one of `codes`."""
    said = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(argv)
        except SystemExit as stop:
            code = int(stop.code or 0)
    assert code in codes, f"{' '.join(argv)}: {code}\n{said.getvalue()[-2000:]}"
    return code
