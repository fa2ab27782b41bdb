"""Which key is sent to which server: one that was set for a server never goes to another."""

import os
from collections.abc import Iterable, Mapping

from pairwright.engines.addresses import host_of
from pairwright.errors import UsageError

GENERAL = ("PAIRWRIGHT_API_KEY", "OPENAI_API_KEY")
"""Variables of a key for the one server of a command."""
NO_KEY = "-"
OWN = {
    "api.openai.com": "OPENAI_API_KEY",
    "api.anthropic.com": "ANTHROPIC_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
    "api.mistral.ai": "MISTRAL_API_KEY",
    "api.together.xyz": "TOGETHER_API_KEY",
    "api.fireworks.ai": "FIREWORKS_API_KEY",
    "api.groq.com": "GROQ_API_KEY",
    "api.deepseek.com": "DEEPSEEK_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
}
"""Variables in which people keep the keys of hosted servers."""
AZURE = "AZURE_OPENAI_API_KEY"
"""The variable for every host of Azure."""


def key_variables(
    urls: Iterable[str], named: str, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the variable of each server's key, by host; `NO_KEY` without one.

    `named` is `NAME`, or `HOST=NAME` several times with commas between. Raises `UsageError` where a key
    for one server would have to open several.
    """
    hosts = list(dict.fromkeys(host_of(url) for url in urls))
    by_host = named_keys(named, hosts)
    found = {host: by_host.get(host) or _own(host, environ) for host in hosts}
    left = [host for host, name in found.items() if name is None]
    if len(hosts) > 1 and left and environ.get("PAIRWRIGHT_API_KEY", "").strip():
        example = ",".join(f"{host}=VARIABLE" for host in hosts)
        raise UsageError(
            f"PAIRWRIGHT_API_KEY is the key of one server, and these are {len(hosts)} "
            f"({', '.join(hosts)}); say which variable holds the key of which: --api_key_env {example} "
            f"(- for none)"
        )
    if len(hosts) == 1 and not by_host:
        general = [name for name in GENERAL if environ.get(name, "").strip()]
        if general[:1] == ["PAIRWRIGHT_API_KEY"] or (general and _variable(hosts[0]) is None):
            return {hosts[0]: general[0]}
    return {host: NO_KEY if name is None else name for host, name in found.items()}


def refuse_shared(keys: Iterable[Mapping[str, str]]) -> None:
    """Raise `UsageError` where steps of one command give a key for the one server to several.

    `keys` are those that each step found by itself, by host.
    """
    hosts: dict[str, list[str]] = {}
    for found in keys:
        for host, name in found.items():
            if name in GENERAL and host not in hosts.setdefault(name, []):
                hosts[name].append(host)
    for name, several in hosts.items():
        if len(several) > 1:
            raise UsageError(
                f"{name} is the key of one server, and the steps ask {len(several)} "
                f"({', '.join(several)}); say in each section whose key it is, such as "
                f"--sample.api_key_env {several[0]}=VARIABLE (- for none)"
            )


def named_keys(named: str, hosts: list[str]) -> dict[str, str]:
    """Return the variables that `--api_key_env` names for servers, by host; for providers, by name.

    Raises `UsageError` where one is named for several and nobody says for which.
    """
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in named.split(","))):
        host, equals, name = piece.rpartition("=")
        if not equals and len(hosts) > 1:
            raise UsageError(
                f"--api_key_env {piece}: the key of which server? write "
                f"{','.join(f'{host}={piece}' for host in hosts[:1])} for one of {', '.join(hosts)}"
            )
        if equals and host.lower() not in hosts:
            continue  # of a server that another step of the command asks
        found |= {host.lower(): name} if equals else dict.fromkeys(hosts, name)
    return found


def _own(host: str, environ: Mapping[str, str]) -> str | None:
    name = _variable(host)
    return name if name is not None and environ.get(name, "").strip() else None


def _variable(host: str) -> str | None:
    """The variable in which people keep the key of a hosted server."""
    return OWN.get(host) or (AZURE if host.endswith(".azure.com") else None)
