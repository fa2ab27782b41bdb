"""The page inside a notebook: served by a thread of the kernel, shown in a frame below the cell."""

import atexit
import sys
import threading
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

from pairwright.errors import PairwrightError

if TYPE_CHECKING:
    import socket

    import uvicorn

FRAMES = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* vscode-webview:"
"""Pages that may hold it: notebooks of this machine."""
_PATIENCE_SECONDS = 10.0
_open: "dict[str, Framed]" = {}
"""The page that is open for each run: a cell that is run again closes the one before."""


def in_a_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    found = sys.modules.get("IPython")
    shell = found.get_ipython() if found is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class Framed:
    """A page that is open in a notebook until it is closed, or the kernel ends."""

    def __init__(
        self, address: str, server: "uvicorn.Server", listener: "socket.socket", done: Callable[[], None]
    ) -> None:
        self.address = address
        self._server, self._listener, self._done = server, listener, done
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        until = time.monotonic() + _PATIENCE_SECONDS
        while not server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise PairwrightError("the page could not be opened in the notebook")
            time.sleep(0.01)
        atexit.register(self.close)

    def replaces(self, name: str) -> "Framed":
        """Close the page that is open under that name, and take its place."""
        if (before := _open.pop(name, None)) is not None:
            before.close()
        _open[name] = self
        return self

    def close(self) -> None:
        """Stop serving the page, which then writes its results."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join(_PATIENCE_SECONDS)

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()
            self._done()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.address)}" title="pairwright" width="100%" height="720" '
            'style="border: 1px solid #8884; border-radius: 8px"></iframe>'
        )
