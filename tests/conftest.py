"""Settings of all tests."""

import gc

from hypothesis import HealthCheck, settings

# Time is no property: other work shares the cores.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Put aside what was imported: closing an engine collects garbage, and would look through all of it."""
    gc.collect()
    gc.freeze()
