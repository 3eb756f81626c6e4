"""Which sessions a question means."""

from __future__ import annotations

import ipaddress

from mektup.server.control.messages import UNIX, Whom
from mektup.server.visit import Visit
from mektup.terms.names import account_key


class Selection:
    """A test for sessions, made once for each question."""

    def __init__(self, whom: Whom) -> None:
        self._target = whom.target
        self._address = whom.address
        self._network = None
        if whom.address is not None and whom.address != UNIX:
            self._network = ipaddress.ip_network(whom.address, strict=False)

    def means(self, visit: Visit, address: str) -> bool:
        """Whether the session of *visit*, with a client at *address*, is meant."""
        return self._is_from(address) and (
            self._target is None
            or visit.session_id == self._target
            or (visit.user is not None and account_key(visit.user) == self._target)
        )

    def means_account(self, user: str) -> bool:
        """Whether all that happens to the account *user* is meant."""
        return self._address is None and account_key(user) == self._target

    def _is_from(self, address: str) -> bool:
        if self._address is None:
            return True
        if self._network is None:
            return address == UNIX
        return address != UNIX and ipaddress.ip_address(address) in self._network
