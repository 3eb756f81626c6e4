from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    """A store in memory with the account linda, and the services that a session needs."""
    async with given_services() as given:
        yield given
