"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# On a machine that has other things to do, an example that took long says nothing. The gate tries the same examples
# each time, so that it decides about the commit and not about luck; a developer's runs look for new ones.
settings.register_profile("mektup", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("mektup")

if "MEKTUP_CLUSTER" in os.environ:  # the only tests that need its libraries
    from tests.support.object_store import object_store as object_store
    from tests.support.object_store import prefix as prefix
    from tests.support.postgres import new_database as new_database
    from tests.support.postgres import postgres as postgres
