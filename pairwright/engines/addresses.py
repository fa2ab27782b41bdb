"""Where servers are: their addresses as one text, and where those are now that moved."""

from urllib.parse import urlsplit, urlunsplit


def host_of(url: str) -> str:
    """Return host and port of a server, lower case, as people write them."""
    return urlsplit(url).netloc.lower()


def normalised(url: str) -> str:
    """Return a server's address as one text: no query, no fragment, no user, no port that goes without
    saying.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(":80" if parts.scheme == "http" else ":443")
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), "", ""))


def moves(text: str) -> dict[str, str]:
    """Return new addresses of servers that moved, by the old ones. Raises `ValueError` for what is no
    move.
    """
    found = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        old, _, new = piece.partition("=http")
        if not (old.startswith(("http://", "https://")) and urlsplit(f"http{new}").netloc):
            raise ValueError(
                f"{piece!r}: write OLD=NEW, two URLs such as http://a:8000/v1=http://b:8000/v1"
            )
        found[normalised(old)] = f"http{new}"
    return found


def present_url(url: str, moved: str) -> str:
    """Return where a server is now."""
    return moves(moved).get(normalised(url), url)
