"""Each limit of a message holds for each way by which a message comes in."""

from __future__ import annotations

import pytest

from tests.limits.messages import FIELDS, WAYS, demonstrate


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("field", FIELDS)
async def test_the_limit_holds(field: str, way: str) -> None:
    await demonstrate(field, WAYS[way])
