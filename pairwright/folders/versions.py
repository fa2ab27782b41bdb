"""Versions of everything that results can depend on."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("pairwright", "torch", "transformers", "peft", "accelerate", "pyarrow", "vllm", "deepspeed")


def versions() -> dict[str, str]:
    """Return the version of every package that is installed, by name, and of Python."""
    return dict(_looked_up())


@cache
def _looked_up() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
