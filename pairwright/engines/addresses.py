"""Addresses of servers: one spelling of each, and the new ones of servers that moved."""

import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pairwright.errors import UsageError

_SECRET = re.compile(r"(?:^|[-_])(?:key|apikey|token|secret|password|sig|code)$", re.IGNORECASE)


def host_of(url: str) -> str:
    """Return the host and port of a server, in lower case, as people write them."""
    return urlsplit(url).netloc.lower()


def normalised(url: str) -> str:
    """Return a server's address in one spelling, without query, fragment, user and default port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(":80" if parts.scheme == "http" else ":443")
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), "", ""))


def refuse_secrets(url: str, spec: str, variable: str) -> None:
    """Raise `UsageError` for a malformed URL, or one with a secret in it: specs are shown and stored."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{spec}: {error}") from None
    if "@" in parts.netloc:
        raise UsageError(f"{spec}: no user or password in the URL; set {variable}")
    named = next((name for name, _ in parse_qsl(parts.query) if _SECRET.search(name)), None)
    if named is not None:
        raise UsageError(
            f"{spec}: `{named}` in the URL looks like a secret, and settings are shown and stored: set "
            f"{variable}, "
            f'or send a header, --extra_headers \'{{"{named}": "$VARIABLE"}}\''
        )


def moves(text: str) -> dict[str, str]:
    """Return the new addresses by the old ones of `OLD=NEW,…`.

    Raises `ValueError` for another form, `UsageError` for a secret in an address.
    """
    found = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        old, _, new = piece.partition("=http")
        if not (old.startswith(("http://", "https://")) and urlsplit(f"http{new}").netloc):
            raise ValueError(
                f"{piece!r}: write OLD=NEW, two URLs such as http://a:8000/v1=http://b:8000/v1"
            )
        for url in (old, f"http{new}"):
            refuse_secrets(url, "--server_moved", "PAIRWRIGHT_API_KEY")
        found[normalised(old)] = f"http{new}"
    return found


def present_url(url: str, moved: str) -> str:
    """Return the present URL of a server."""
    return moves(moved).get(normalised(url), url)
