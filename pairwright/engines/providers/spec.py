"""Specs of the form `any:PROVIDER/MODEL@URL`."""

from typing import NamedTuple
from urllib.parse import urlsplit

from pairwright.engines.addresses import normalised, refuse_secrets
from pairwright.errors import UsageError


class Rented(NamedTuple):
    """The parts of a spec."""

    provider: str
    model: str
    url: str
    """Where the provider is, if not at its own address."""


def identity_of(named: Rented, url: str) -> str:
    """Return a model's name in request keys; `url` is where it is, or empty."""
    return f"any:{named.provider}/{named.model}" + (f"@{normalised(url)}" if url else "")


def rented(name: str) -> Rented:
    """Return provider, model and address in what follows `any:`. Raises `UsageError`."""
    whole, _, rest = name.partition("@http")
    url = f"http{rest}" if rest else ""
    refuse_secrets(url, f"any:{whole}@URL", "the variable of the provider's key")
    provider, _, model = whole.partition("/")
    if not provider or not model or (url and not urlsplit(url).netloc):
        raise UsageError(
            f"any:{name}: write it as any:PROVIDER/MODEL, such as any:mistral/mistral-small-latest, with "
            "@URL behind it where the provider is not at its own address"
        )
    return Rented(provider.lower(), model, url)
