"""Every limit has a test that sets it, and checks what happens at it and beyond it."""

from __future__ import annotations

import dataclasses

import pytest

from mektup.terms.limits import Limits
from tests.limits import commands, connections, logins, messages, sessions
from tests.limits.limited_server import Demonstration

SHOWN: dict[str, Demonstration] = {**logins.SHOWN, **commands.SHOWN, **sessions.SHOWN, **connections.SHOWN}


def test_every_limit_has_a_demonstration() -> None:
    # test_limits_of_a_message.py tests the limits of a message
    assert sorted([*SHOWN, *messages.FIELDS]) == sorted(field.name for field in dataclasses.fields(Limits))


@pytest.mark.parametrize("field", SHOWN)
async def test_the_limit_holds(field: str) -> None:
    await SHOWN[field]()
