"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# on a machine that has other things to do, an example that took long says nothing
settings.register_profile("mektup", deadline=None)
settings.load_profile("mektup")
