"""A server's address and its key; the only module that ever holds a secret."""

import base64
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

import httpx

from pairwright.engines.addresses import host_of
from pairwright.engines.asked import PLAIN, Asked
from pairwright.engines.openai.families import family_at
from pairwright.engines.openai.faults import printable
from pairwright.engines.openai.keys import NO_KEY, key_variables
from pairwright.errors import UsageError

_CHAT = "/chat/completions"


@dataclass(frozen=True)
class Place:
    """A server as messages show it: its name, the variable of its key, and the secrets to redact."""

    shown: str
    """The address for people: no user, no password, no query."""
    variable: str
    """The environment variable that its key is from; empty where there is none."""
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def proxy(self) -> str:
        """The proxy that the environment names for the server, without a password; empty for none."""
        return ""

    def redact(self, text: str) -> str:
        """Return the text without secrets, which a server may have repeated in it."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def told(self, text: str) -> str:
        """Return a server's words as one short line for people, without secrets."""
        return printable(self.redact(text))


@dataclass(frozen=True)
class Access(Place):
    """A server's addresses and its header of authorization."""

    chat: httpx.URL = field(repr=False)
    """Where completions are asked for."""
    models: httpx.URL = field(repr=False)
    """Where it lists its models; used to see whether anybody is there."""
    headers: Mapping[str, str] = field(repr=False)
    key: str = field(default="", repr=False)

    @property
    def base(self) -> httpx.URL:
        """The address to which paths such as `/chat/completions` are added."""
        return self.chat.copy_with(path=self.chat.path.removesuffix(_CHAT))

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        host = self.chat.host.rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            here = ipaddress.ip_address(host)
        except ValueError:
            return False
        here = getattr(here, "ipv4_mapped", None) or here
        return here.is_loopback or here.is_unspecified  # servers print 0.0.0.0 as where they listen

    @property
    def proxy(self) -> str:
        if self.loopback or proxy_bypass(self.chat.host):
            return ""
        named = getproxies()
        found = named.get(self.chat.scheme) or named.get("all") or ""
        return found.rpartition("://")[2].rpartition("@")[2].rstrip("/")

    def client(self, **given: Any) -> httpx.AsyncClient:
        """Return an HTTP client for the server, with certificates and proxies from the environment.

        Hosted servers may lie behind a company's proxy; one on this machine never does. Raises
        `UsageError` for what in the environment cannot be used.
        """
        try:
            trusted = httpx.create_ssl_context()
        except OSError as error:
            where = next(
                (n for n in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(n)), "SSL_CERT_FILE"
            )
            raise UsageError(f"{where} names no certificates that can be read: {error}") from None
        try:
            return httpx.AsyncClient(verify=trusted, trust_env=not self.loopback, **given)
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            why = self.told(str(error))
            raise UsageError(f"the proxy that the environment names cannot be used: {why}") from None


def server_access(
    address: str,
    environ: Mapping[str, str] = os.environ,
    variable: str = "",
    further: Asked = PLAIN,
) -> Access:
    """Return access to the server at a URL such as `http://127.0.0.1:8000/v1`, with further headers.

    The key comes from the environment alone, from `variable` or from where keys of this server are kept:
    command lines and settings are shown and stored.
    """
    url = _parsed(address).copy_with(fragment=None)
    path = url.path.rstrip("/")
    name = key_variables([address], variable, environ)[host_of(address)]
    key = _key(environ, name, named=bool(variable))
    own, secrets = further.filled_headers(environ)
    header = family_at(address).key_header
    opens = {header: f"Bearer {key}" if header == "Authorization" else key} if key else {}
    given = {name.lower() for name in own}
    return Access(
        chat=url.copy_with(path=f"{path}{_CHAT}"),
        models=url.copy_with(path=f"{path}/models"),
        shown=str(url.copy_with(path=path or "/", query=None)),
        variable=name if key else "",
        headers={**{name: value for name, value in opens.items() if name.lower() not in given}, **own},
        secrets=spellings([key, *secrets]),
        key=key,
    )


def _parsed(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise UsageError("openai:MODEL@URL needs a URL such as http://127.0.0.1:8000/v1")
    return url


def _key(environ: Mapping[str, str], name: str, *, named: bool) -> str:
    """The API key in a variable, or nothing: servers of one's own mostly need none."""
    if name == NO_KEY:
        return ""
    key = environ.get(name, "").strip()
    if not key and named:
        raise UsageError(f"--api_key_env: {name} is not set; export it, or name another variable")
    if key and not (key.isascii() and key.isprintable()):
        raise UsageError(f"{name} holds characters that no API key has; set it anew")
    return key


def spellings(secrets: Sequence[str]) -> tuple[str, ...]:
    """Return secrets as they are, URL-encoded and in base64; longest first, so none is cut in half."""
    found = set()
    for secret in filter(None, secrets):
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
        found |= {secret, quote(secret), encoded}
    return tuple(sorted(found, key=len, reverse=True))
