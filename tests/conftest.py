"""Settings of all property tests."""

from hypothesis import HealthCheck, settings

# Time is no property: other work shares the cores.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
