"""Whether the Hugging Face hub can be reached; where not, its client is kept to the cache."""

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

_CONNECT_SECONDS = 3.0


def go_offline_if_unreachable() -> None:
    """Keep the hub client to its cache when the hub cannot be reached: it would try for half a minute."""
    if reachable():
        return
    os.environ["HF_HUB_OFFLINE"] = "1"  # read once, at import
    import datasets
    import huggingface_hub

    huggingface_hub.constants.HF_HUB_OFFLINE = True
    datasets.config.HF_HUB_OFFLINE = True


def reachable() -> bool:
    """Return whether the hub can be connected to; True behind a proxy, where only a request could tell."""
    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if address.scheme in getproxies():
        return True
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
