"""The one place that checks passwords and proofs: every way to log in ends here, so all are throttled alike."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from mektup.auth import scram_keys, texts
from mektup.auth.login_queue import LoginQueue
from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.auth.oauth.rules import TokenRefused, Tokens
from mektup.auth.passwords import PASSWORD, PasswordVerdict, Verifier
from mektup.auth.renewal import Renewal
from mektup.auth.scram_keys import ScramKeys, ScramKind
from mektup.auth.throttle import Throttle
from mektup.auth.verified import Verified
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.names import account_key
from mektup.terms.texts import Text


@dataclass(frozen=True, slots=True)
class _Found:
    """A name's entry in the directory."""

    entry: AccountEntry | None
    secret: str | None = field(repr=False)


class Gate:
    """Finds accounts, checks passwords and counts failures."""

    def __init__(
        self,
        directory: Directory,
        *,
        throttle: Throttle,
        verified: Verified,
        queue: LoginQueue,
        rules: LoginRules = DEFAULT_LOGIN_RULES,
        renewal: Renewal | None = None,
        tokens: Tokens | None = None,
        nobodys_key: bytes | None = None,
    ) -> None:
        self.throttle = throttle
        self.verified = verified
        self.queue = queue
        self.renewal = renewal
        self.tokens = tokens
        self.rules = rules
        """May be changed, as all of these may."""
        self._directory = directory
        self._verifier = Verifier()
        self._nobodys_key = nobodys_key or secrets.token_bytes(32)

    async def check_password(self, name: bytes, password: bytes, address: str) -> AccountEntry:
        """The account of *name*, if *password* is correct.

        Raises Refused(AUTHENTICATIONFAILED), and UNAVAILABLE if too many attempts wait already.
        """
        text = comparable(name)
        has_waited = await self.throttle.pause(address, text)
        found = await self._find(text)
        if self._is_remembered(found, password):
            return self.settle(text, found.entry, address)
        verdict: PasswordVerdict | None = None
        while verdict is None:
            async with self.queue.turn(address, text, self.throttle.standing(address, text)):
                # If many attempts run at once, the first that fails makes the others wait.
                if has_waited or not self.throttle.wait(address, text):
                    found = await self._find(text)
                    if self._is_remembered(found, password):
                        return self.settle(text, found.entry, address)
                    verdict = await self._verifier.check(password, found.secret)
            if verdict is None:
                has_waited = await self.throttle.pause(address, text)
        if found.entry is None or found.secret is None or not verdict.is_right:
            self.throttle.failed(address, text)
            await self._verifier.wait_to_answer(verdict)
            raise Refused(Code.AUTHENTICATIONFAILED, texts.WRONG_NAME_OR_PASSWORD)
        self.verified.remember(found.entry, found.secret, password)
        if self.renewal is not None:
            self.renewal.begin(found.entry, password)
        return self.settle(text, found.entry, address)

    async def _find(self, name: str) -> _Found:
        entry = await self._directory.find(name) if name else None
        return _Found(entry, None if entry is None else entry.secrets.get(PASSWORD))

    def _is_remembered(self, found: _Found, password: bytes) -> bool:
        # The memory's key includes the secret, so the account is always looked up first.
        entry, secret = found.entry, found.secret
        return entry is not None and secret is not None and self.verified.holds(entry, secret, password)

    async def scram_keys(self, name: bytes, kind: ScramKind) -> tuple[AccountEntry | None, ScramKeys]:
        """The account of *name* and its keys of *kind*; if there are none, None and fake keys that look real."""
        text = comparable(name)
        entry = await self._directory.find(text) if text else None
        keys = scram_keys.read(entry.secrets.get(kind.mechanism, ""), kind) if entry is not None else None
        # made for every name, so that the work is the same
        fake = scram_keys.fake_keys(text, self._nobodys_key, kind)
        return (None, fake) if keys is None else (entry, keys)

    async def find_certified(self, name: bytes, address: str) -> AccountEntry:
        """The account of *name*, which was proved without a password. Raises Refused(AUTHENTICATIONFAILED)."""
        text = comparable(name)
        await self.throttle.pause(address, text)
        return self.settle(text, (await self._find(text)).entry, address, texts.NO_CERTIFIED_ACCOUNT)

    async def check_token(self, given: bytes, token: str, address: str) -> AccountEntry:
        """The account that *token* is for; *given* is the name that the client gave, maybe none.

        Raises TokenRefused, and Refused(UNAVAILABLE) without keys.
        """
        assert self.tokens is not None
        name = comparable(given)
        await self.throttle.pause(address, name)
        try:
            user = await self.tokens.user_of(token)
        except TokenRefused as refused:
            # a token that was good yesterday is no guess
            if not refused.is_genuine:
                self.throttle.failed(address, name)
            raise
        # JSON may hold half of a surrogate pair, which no name has
        entry = (await self._find(comparable(user.encode("utf-8", "surrogatepass")))).entry
        if entry is None:
            raise TokenRefused("there is no account of that name", is_genuine=True)
        self.throttle.succeeded(address, name)
        return entry

    async def pause(self, name: bytes, address: str) -> None:
        """Waits as long as earlier failures require; to be called before a proof is checked."""
        await self.throttle.pause(address, comparable(name))

    def settle(
        self, name: str, entry: AccountEntry | None, address: str, why_not: Text = texts.WRONG_NAME_OR_PASSWORD
    ) -> AccountEntry:
        """Counts a success. For None, counts a failure and raises Refused(AUTHENTICATIONFAILED) with *why_not*."""
        if entry is None:
            self.throttle.failed(address, name)
            raise Refused(Code.AUTHENTICATIONFAILED, why_not)
        self.throttle.succeeded(address, name)
        return entry

    async def authorize(self, entry: AccountEntry, identity: bytes) -> AccountEntry:
        """*entry*, if the authorization identity *identity* is empty or names the same account.

        Raises Refused(AUTHORIZATIONFAILED): no account may act for another one.
        """
        if identity:
            wanted = await self._directory.find(comparable(identity))
            if wanted is None or wanted.id != entry.id:
                raise Refused(Code.AUTHORIZATIONFAILED, texts.NO_OTHER_IDENTITY)
        return entry


def comparable(name: bytes) -> str:
    """The form of a name that the directory compares; empty if *name* is not UTF-8, which no account has."""
    try:
        return account_key(name.decode())
    except UnicodeDecodeError:
        return ""
