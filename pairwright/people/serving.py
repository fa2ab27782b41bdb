"""A page for one person on this machine: who may request it, and what it may do.

Every request must carry the token (in the address once, then in a cookie), name this server as its host,
and come from its own page. The page may load its own files and ask its own server, nothing else.
"""

import hmac
import os
import secrets
import socket
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pairwright.errors import PairwrightError, UsageError
from pairwright.people.config import PageConfig
from pairwright.people.notebook import FRAMES, Framed, in_a_notebook
from pairwright.terminal.text import printable, say

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

_LARGEST = 2**22
"""Bytes that a request may have: an answer that somebody edited."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FRAMED_HEADERS = {
    name: value.replace("frame-ancestors 'none'", f"frame-ancestors {FRAMES}")
    for name, value in _HEADERS.items()
    if name not in ("X-Frame-Options", "Cross-Origin-Resource-Policy")
}
"""The same for a page that a notebook of this machine may hold in a frame."""
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Answer = Callable[[Mapping[str, Any]], Any]
"""What answers a question of the page: fields in, a JSON value out. Raises `PairwrightError` to say no."""


def require_ui(*libraries: str) -> None:
    """Raise `UsageError` when the libraries of the page, or further ones, are not installed."""
    missing = [n for n in ("starlette", "uvicorn", *libraries) if find_spec(n) is None]
    if missing:
        raise UsageError(f"the page needs {' and '.join(missing)}: pip install 'pairwright[ui]'")


def load_server() -> None:
    """Import what serves the page, all of which is slow the first time."""
    import starlette.applications
    import starlette.concurrency
    import starlette.middleware
    import starlette.requests
    import starlette.responses
    import starlette.routing  # noqa: F401
    import uvicorn.lifespan.off
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto  # noqa: F401


def serve(
    page: str, answers: Mapping[str, Answer], config: PageConfig, done: Callable[[], None]
) -> "Framed | None":
    """Serve the page until Ctrl-C, and call `done`; in a notebook at once give back what shows it there.

    Raises `PairwrightError` when the port cannot be had.
    """
    import uvicorn

    listener = _listening(config)
    port = listener.getsockname()[1]
    token = secrets.token_urlsafe(24)
    framed = in_a_notebook()
    app = application(page, answers, token=token, hosts=hosts_of(config.host, port), framed=framed)
    settings = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", ws="none", server_header=False
    )
    server = uvicorn.Server(settings)
    shown = f"[{config.host}]" if ":" in config.host else config.host
    if framed:
        return Framed(f"http://{shown}:{port}/{token}/", server, listener, done)
    address = f"http://{shown}:{port}/?token={token}"
    if config.host not in _LOOPBACK:
        say(f"warning: {config.host} may be reached from other machines; the address below lets anybody in")
    say(f"{address}\nThe page is open for {printable(config.who)}; every decision is kept. Ctrl-C ends it.")
    if config.browser:
        webbrowser.open(address)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has closed its connections and hands the signal on
        pass
    finally:
        listener.close()
        done()
    return None


def _listening(config: PageConfig) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        listener = socket.create_server((config.host, config.port), family=family)
        # asyncio sees to it for sockets of its own alone: without it every answer waits 40 ms for an
        # acknowledgement that the other side holds back.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise PairwrightError(
            f"{config.host}:{config.port}: cannot listen there ({error.strerror or error}); another --port "
            "or --host may do"
        ) from None


def hosts_of(host: str, port: int) -> tuple[str, ...]:
    """Return the values of `Host` that mean this server: no other name can be turned to it."""
    names = ("127.0.0.1", "localhost", "[::1]") if host in _LOOPBACK else (host, socket.gethostname())
    return tuple(f"{f'[{n}]' if ':' in n and '[' not in n else n}:{port}" for n in names)


def application(
    page: str, answers: Mapping[str, Answer], *, token: str, hosts: Sequence[str], framed: bool = False
) -> "Starlette":
    """Return the page `NAME.html` with its files, and `POST /api/QUESTION` for each of `answers`.

    `framed`, all of it stands below `/TOKEN/`, since a frame of a notebook is sent no cookies.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    folder = files("pairwright.people") / "page"
    found = {
        f"/{name}": (folder / name).read_bytes()
        for name in (f"{page}.html", f"{page}.js", "page.js", "page.css")
    }
    palette = files("pairwright.reports") / "palette.css"
    found["/page.css"] = palette.read_bytes() + found["/page.css"]
    found["/"] = found.pop(f"/{page}.html")

    async def file(request: Request) -> Response:
        path = request.url.path
        kind = _KINDS[os.path.splitext(path)[1] or ".html"]  # noqa: PTH122  # a path of the address
        return Response(found[path], media_type=f"{kind}; charset=utf-8")

    async def icon(_: Request) -> Response:
        return Response(status_code=204)

    async def answer(request: Request) -> Response:
        try:
            asked = await request.json()
            if not isinstance(asked, dict):
                raise ValueError
        except (ValueError, RecursionError):
            return JSONResponse({"said": "the request is no JSON object"}, 400)
        try:
            said = await run_in_threadpool(answers[request.path_params["question"]], asked)
        except KeyError as error:
            return JSONResponse({"said": f"no {error.args[0]!r} in the request"}, 400)
        except PairwrightError as error:
            return JSONResponse({"said": str(error)}, 409 if isinstance(error, UsageError) else 500)
        return JSONResponse(said)

    routes = [Route(path, file) for path in found]
    routes.append(Route("/favicon.ico", icon))
    routes.append(Route("/api/{question}", answer, methods=["POST"]))
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token, hosts=hosts, framed=framed)])


class Guard:
    """Lets through what is meant for this server, comes from its own page, and carries the token."""

    def __init__(self, app: "ASGIApp", token: str, hosts: Sequence[str], *, framed: bool = False) -> None:
        self._app = app
        self._framed = framed
        self._headers = FRAMED_HEADERS if framed else _HEADERS
        self._token = token
        self._hosts = hosts
        self._cookie = f"pairwright_{hosts[0].rpartition(':')[2]}"  # cookies are shared by all ports

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse, RedirectResponse

        if scope["type"] != "http":
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(n.lower().encode(), v.encode()) for n, v in self._headers.items()]
            await send(message)

        inside = self._framed and hmac.compare_digest(
            scope["path"].split("/")[1].encode(), self._token.encode()
        )
        if inside:
            scope = {**scope, "path": "/" + scope["path"].partition("/")[2].partition("/")[2]}
        request = Request(scope, receive)
        problem = self._problem(request, inside=inside)
        if problem is not None:
            await PlainTextResponse(problem[1], problem[0])(scope, receive, guarded)
        elif request.method == "GET" and "token" in request.query_params:
            turned = RedirectResponse("/", 303)  # so that the token is in no history and no screenshot
            turned.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
            await turned(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)

    def _problem(self, request: Any, *, inside: bool) -> tuple[int, str] | None:
        """Why a request is turned away: a status and a sentence; None when it is not."""
        headers = request.headers
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return 421, "this server has another name"
        origin = headers.get("origin")
        if origin is not None and origin not in [f"http://{host}" for host in self._hosts]:
            return 403, "the request comes from another page"
        if origin is not None and urlsplit(origin).netloc != headers["host"]:
            return 403, "the request comes from another page"
        if request.method not in ("GET", "HEAD", "POST"):
            return 405, "only GET and POST are answered"
        given = request.query_params.get("token") if request.method == "GET" else None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        given = given or bearer or request.cookies.get(self._cookie, "")
        if not inside and not hmac.compare_digest(given.encode(), self._token.encode()):
            return 403, "open the page by the whole address that was printed, with its token"
        if request.method == "POST":
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                return 415, "questions are JSON"
            if not bearer and origin is None:
                return 403, "a request by cookie must say from which page it comes"
            size = headers.get("content-length", "")
            if not size.isdigit() or int(size) > _LARGEST:
                return 413, f"at most {_LARGEST:,} bytes"
        return None
