"""Each limit of a message holds for each way by which a message comes in."""

from __future__ import annotations

import pytest

from tests.limits.messages import DOORS, FIELDS, demonstrate


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("field", FIELDS)
async def test_the_limit_holds(field: str, door: str) -> None:
    await demonstrate(field, DOORS[door])
