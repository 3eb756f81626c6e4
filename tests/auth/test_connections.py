"""An account's sessions are counted; a session above the limit is refused with a reason."""

import pytest

from mektup.auth.connections import AccountConnections
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId

LINDA, ADA = AccountId("a1"), AccountId("a2")


def test_a_session_above_the_limit_is_refused() -> None:
    connections = AccountConnections(2)
    first = connections.open(LINDA)
    with connections.open(LINDA):
        with pytest.raises(Refused) as refused:
            connections.open(LINDA)
        assert refused.value.code is Code.LIMIT
        assert "password is right" in str(refused.value)
        connections.open(ADA)
    assert connections.count(LINDA) == 1
    first.close()
    first.close()
    assert connections.count(LINDA) == 0
    assert connections.count(ADA) == 1
