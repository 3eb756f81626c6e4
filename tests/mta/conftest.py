from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.passwords import quick_secrets
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    """A store in memory with the account linda, and the services that a session needs."""
    async with given_services() as given:
        await given.services.store.directory.set_secrets("linda", quick_secrets("Pa$$123"))
        yield given
