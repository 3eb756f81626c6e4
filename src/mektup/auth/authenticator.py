"""Decides who may log in: one interface for LOGIN, USER and PASS, and SASL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mektup.auth import texts
from mektup.auth.connections import AccountConnections
from mektup.auth.gate import Gate
from mektup.auth.login_queue import LoginQueue
from mektup.auth.login_rules import DEFAULT_LOGIN_RULES, LoginRules
from mektup.auth.mechanisms import MECHANISMS, Mechanism
from mektup.auth.oauth.rules import Tokens
from mektup.auth.passwords import AT_ONCE
from mektup.auth.plaintext import Plaintext
from mektup.auth.renewal import Renewal
from mektup.auth.sasl import Challenge, Exchange
from mektup.auth.throttle import Throttle
from mektup.auth.verified import Verified
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.networks import NO_NETWORKS, Networks
from mektup.terms.peer import Origin

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["Authenticator", "Challenge", "Exchange"]


class Authenticator:
    """Checks names and passwords; delays peers that guess."""

    connections: AccountConnections
    """Each account's sessions in this process. A session opens one here after its login."""

    def __init__(
        self,
        directory: Directory,
        limits: Limits,
        *,
        plaintext: Plaintext = Plaintext.LOOPBACK,
        trusted: Networks = NO_NETWORKS,
        rules: LoginRules = DEFAULT_LOGIN_RULES,
        nobodys_key: bytes | None = None,
        hashes_anew: bool = False,
        tokens: Tokens | None = None,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """From the addresses in *trusted* many users log in, as from a webmail.

        *nobodys_key* makes the salts that SCRAM shows for unknown names. It is secret, and the same in all processes
        of a server; None makes a random one, which is enough for a single process. *hashes_anew*: whether a password
        with an imported hash is hashed again at its first successful login. *tokens* checks those of OAuth.
        """
        self._plaintext = plaintext
        self._directory = directory
        self.connections = AccountConnections(limits.connections_per_account)
        queue = LoginQueue(AT_ONCE, limits.logins_waiting_per_address, trusted)
        self._renewal = Renewal(directory, queue, self.connections.renewed, log, rules.scram_kinds)
        self._gate = Gate(
            directory,
            throttle=Throttle(limits.login_delay_seconds, trusted=trusted),
            verified=Verified(limits.password_remembered_seconds),
            queue=queue,
            rules=rules,
            tokens=tokens,
            renewal=self._renewal if hashes_anew else None,
            nobodys_key=nobodys_key,
        )

    def reload(
        self,
        limits: Limits,
        plaintext: Plaintext,
        trusted: Networks = NO_NETWORKS,
        rules: LoginRules = DEFAULT_LOGIN_RULES,
        tokens: Tokens | None = None,
    ) -> None:
        """Applies new settings. Remembered failures, passwords and sessions stay."""
        self._plaintext = plaintext
        self._gate.rules, self._renewal.kinds = rules, rules.scram_kinds
        self._gate.tokens = tokens
        self._gate.throttle.trusted = self._gate.queue.trusted = trusted
        self._gate.throttle.longest_seconds = limits.login_delay_seconds
        self._gate.verified.seconds = limits.password_remembered_seconds
        self._gate.queue.most_of_network = limits.logins_waiting_per_address
        self.connections.limit = limits.connections_per_account

    async def review(self) -> None:
        """Dismisses sessions whose account was removed or whose password was changed; to be called once a second.

        Raises Refused if the directory cannot be read; the next review then looks again.
        """
        await self.connections.review(self._directory, self._renewal.in_flight)

    async def close(self) -> None:
        """Ends the work that logins have left running."""
        await self._renewal.close()

    def may_send_password(self, peer: Origin) -> bool:
        """Whether a password may be sent on this connection: it is encrypted, or plaintext is allowed on it."""
        if peer.secure or self._plaintext is Plaintext.ALWAYS:
            return True
        return self._plaintext is Plaintext.LOOPBACK and peer.local

    def mechanisms(self, peer: Origin, hidden: Collection[str] = ()) -> tuple[str, ...]:
        """SASL mechanisms offered to *peer*, strongest first. Those that send the password only if that is allowed.

        *hidden* are capabilities that the operator hides there; ``AUTH=NAME`` hides a mechanism.
        """
        shows = self.may_send_password(peer)
        return tuple(each.name for each in self._possible(peer, hidden) if shows or not each.sends_password)

    def _possible(self, peer: Origin, hidden: Collection[str]) -> Iterator[Mechanism]:
        """Mechanisms that can be used with *peer*, or could if the connection were encrypted."""
        return (each for each in MECHANISMS if each.when(self._gate, peer) and f"AUTH={each.name}" not in hidden)

    async def login(self, name: bytes, password: bytes, peer: Origin) -> AccountEntry:
        """The account of *name*, if *password* is correct. Both are octets as sent, expected to be UTF-8.

        Raises Refused(AUTHENTICATIONFAILED; PRIVACYREQUIRED if a password may not be sent here; UNAVAILABLE).
        """
        self._require_privacy(peer)
        return await self._gate.check_password(name, password, peer.address)

    def exchange(self, mechanism: str, peer: Origin, hidden: Collection[str] = ()) -> Exchange:
        """Begins *mechanism* (upper case). Raises Refused(CANNOT) for an unknown or hidden one, PRIVACYREQUIRED."""
        found = next((each for each in self._possible(peer, hidden) if each.name == mechanism), None)
        offered = self.mechanisms(peer, hidden)
        if found is None:
            raise Refused(Code.CANNOT, texts.NO_SUCH_MECHANISM.of(mechanisms=" ".join(offered)))
        if found.sends_password:
            self._require_privacy(peer)
        return found.begin(self._gate, peer, offered)

    def _require_privacy(self, peer: Origin) -> None:
        if not self.may_send_password(peer):
            raise Refused(Code.PRIVACYREQUIRED, texts.ENCRYPT_FIRST)
