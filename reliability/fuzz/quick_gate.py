"""A gate for logins that takes no time, so that many inputs can be tried."""

from __future__ import annotations

from mektup.auth import schemes
from mektup.auth.gate import Gate, comparable
from mektup.auth.login_queue import LoginQueue
from mektup.auth.preparation import opaque_string
from mektup.auth.throttle import Throttle
from mektup.auth.verified import Verified
from mektup.store.interface import AccountEntry
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text


class QuickGate(Gate):
    """A gate at which a wrong password costs no time, so that many inputs can be tried."""

    async def check_password(self, name: bytes, password: bytes, address: str) -> AccountEntry:
        """See ``Gate``."""
        entry = await self._directory.find(comparable(name))
        prepared = opaque_string(password)
        if entry is None or prepared is None or not schemes.matches(prepared, entry.secrets["password"]):
            raise Refused(Code.AUTHENTICATIONFAILED, Text("no"))
        return entry

    async def pause(self, name: bytes, address: str) -> None:
        """See ``Gate``."""


def quick_gate(directory: object) -> QuickGate:
    """A QuickGate for the accounts of *directory*."""
    services = {
        "throttle": Throttle(0.0),
        "verified": Verified(0.0),
        "queue": LoginQueue(2, 50),
        "nobodys_key": b"nobody",
    }
    return QuickGate(directory, **services)  # type: ignore[arg-type]
