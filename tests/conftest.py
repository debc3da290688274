"""
Hypothesis profiles: `test` repeats the same examples each time; `soak` searches on with new ones.
"""

import os

from hypothesis import HealthCheck, settings

# No deadlines: a test may not fail because the machine was busy.
_common = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("test", max_examples=100, derandomize=True, **_common)
settings.register_profile("soak", max_examples=3000, **_common)
settings.load_profile(os.environ.get("TOCSIN_PROFILE", "test"))
