"""Hypothesis profiles and the array libraries that laws are tested on.

`HYPOTHESIS_PROFILE=nightly make test` searches long and at random; the default and `ci` draw the same examples every time, so
that a red test is red for everyone.
"""

import os

import pytest
from backends import BACKENDS, Backend
from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("default", max_examples=10, derandomize=True, database=None, **COMMON)
settings.register_profile("ci", max_examples=20, derandomize=True, database=None, **COMMON)
settings.register_profile("dev", max_examples=30, **COMMON)
settings.register_profile("nightly", max_examples=500, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", params=BACKENDS, ids=str)
def backend(request) -> Backend:
    """Each array library and precision: NumPy, torch, and array_api_strict on a device that is not the default."""
    return request.param
