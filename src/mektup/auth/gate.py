"""The one place where a proof is judged: every way to log in ends here, so all are throttled alike."""

from __future__ import annotations

import secrets

from mektup.auth import scram_keys
from mektup.auth.passwords import PASSWORD, Verifier
from mektup.auth.scram_keys import ScramKeys
from mektup.auth.throttle import Throttle
from mektup.auth.verified import Verified
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.names import account_key

WRONG = "Wrong name or password"
"""The one text for a name that is not there and a password that is wrong, so that the two cannot be told apart."""


class Gate:
    """Finds accounts, checks passwords and keeps count of failures."""

    def __init__(
        self, directory: Directory, *, throttle: Throttle, verified: Verified, nobodys_key: bytes | None = None
    ) -> None:
        self._directory = directory
        self._throttle = throttle
        self._verified = verified
        self._verifier = Verifier()
        self._nobodys_key = nobodys_key or secrets.token_bytes(32)

    async def check_password(self, name: bytes, password: bytes, address: str) -> AccountEntry:
        """The account of *name*, if *password* is its own.

        Raises Refused(AUTHENTICATIONFAILED), and UNAVAILABLE when too many attempts wait already.
        """
        text = comparable(name)
        await self._throttle.pause(address, text)
        entry = await self._directory.find(text) if text else None
        secret = entry.secrets.get(PASSWORD) if entry is not None else None
        # The secret is part of what is remembered, so the account is always looked up first.
        if entry is not None and secret is not None and self._verified.holds(entry, secret, password):
            return self.settle(text, entry, address)
        if not await self._verifier.matches(password, secret):
            return self.settle(text, None, address)
        if entry is not None and secret is not None:
            self._verified.remember(entry, secret, password)
        return self.settle(text, entry, address)

    async def scram_keys(self, name: bytes) -> tuple[AccountEntry | None, ScramKeys]:
        """The account of *name* and its keys; where there are none, None with keys that look like some."""
        text = comparable(name)
        entry = await self._directory.find(text) if text else None
        keys = scram_keys.read(entry.secrets.get(scram_keys.MECHANISM, "")) if entry is not None else None
        if keys is None:
            return None, scram_keys.nobodys(text, self._nobodys_key)
        return entry, keys

    async def pause(self, name: bytes, address: str) -> None:
        """Waits as failures so far ask for; to be called before a proof is judged."""
        await self._throttle.pause(address, comparable(name))

    def settle(self, name: str, entry: AccountEntry | None, address: str) -> AccountEntry:
        """Counts a success, or for None a failure, which raises Refused(AUTHENTICATIONFAILED)."""
        if entry is None:
            self._throttle.failed(address, name)
            raise Refused(Code.AUTHENTICATIONFAILED, WRONG)
        self._throttle.succeeded(address, name)
        return entry

    async def authorize(self, entry: AccountEntry, identity: bytes) -> AccountEntry:
        """*entry*, if *identity*, an authorization identity, is empty or names the same account.

        Raises Refused(AUTHORIZATIONFAILED): nobody may act for another here.
        """
        if identity:
            wanted = await self._directory.find(comparable(identity))
            if wanted is None or wanted.id != entry.id:
                raise Refused(Code.AUTHORIZATIONFAILED, "Leave the authorization identity empty, or give your own name")
        return entry


def comparable(name: bytes) -> str:
    """A name as the directory compares it; empty for what is not UTF-8, which names nobody."""
    try:
        return account_key(name.decode())
    except UnicodeDecodeError:
        return ""
