"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures"]

# A noisy machine may take long over one example; a deadline would test the machine.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")
