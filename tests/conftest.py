"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Other tests run beside these and start servers: how long an example takes says nothing here.
settings.register_profile("gluon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gluon")
