"""An account's sessions are counted, and one too many is told why."""

import pytest

from mektup.auth.connections import AccountConnections
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId

LINDA, ADA = AccountId("a1"), AccountId("a2")


def test_one_too_many() -> None:
    connections = AccountConnections(2)
    first = connections.open(LINDA)
    with connections.open(LINDA):
        with pytest.raises(Refused) as refused:
            connections.open(LINDA)
        assert refused.value.code is Code.LIMIT
        assert "password is right" in refused.value.text
        connections.open(ADA)
    assert connections.count(LINDA) == 1
    first.close()
    first.close()
    assert connections.count(LINDA) == 0
    assert connections.count(ADA) == 1
