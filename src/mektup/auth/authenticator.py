"""Decides who may log in: one interface for LOGIN, USER and PASS, and SASL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mektup.auth import texts
from mektup.auth.connections import AccountConnections
from mektup.auth.gate import Gate
from mektup.auth.login_queue import LoginQueue
from mektup.auth.passwords import AT_ONCE
from mektup.auth.plaintext import Plaintext
from mektup.auth.renewal import Renewal
from mektup.auth.sasl import Challenge, Exchange, LoginMechanism, PlainMechanism
from mektup.auth.scram import ScramSha256
from mektup.auth.throttle import Throttle
from mektup.auth.verified import Verified
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.peer import Peer

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["Authenticator", "Challenge", "Exchange"]


_MECHANISMS: dict[str, Callable[[Gate, str], Exchange]] = {
    "SCRAM-SHA-256": ScramSha256,
    "PLAIN": PlainMechanism,
    "LOGIN": LoginMechanism,
}
"""Strongest first."""

_SENDS_NO_PASSWORD = frozenset({"SCRAM-SHA-256"})


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
        nobodys_key: bytes | None = None,
        hashes_anew: bool = False,
        log: FilteringBoundLogger | None = None,
    ) -> None:
        """*nobodys_key* makes the salts that SCRAM shows for unknown names. It is secret, and the same in all processes
        of a server; None makes a random one, which is enough for a single process. *hashes_anew*: whether a password
        with an imported hash is hashed again at its first successful login.
        """
        self._plaintext = plaintext
        self._directory = directory
        self.connections = AccountConnections(limits.connections_per_account)
        queue = LoginQueue(AT_ONCE, limits.logins_waiting_per_address)
        self._renewal = Renewal(directory, queue, self.connections.renewed, log)
        self._gate = Gate(
            directory,
            throttle=Throttle(limits.login_delay_seconds),
            verified=Verified(limits.password_remembered_seconds),
            queue=queue,
            renewal=self._renewal if hashes_anew else None,
            nobodys_key=nobodys_key,
        )

    def reload(self, limits: Limits, plaintext: Plaintext) -> None:
        """Applies new settings. Remembered failures, passwords and sessions stay."""
        self._plaintext = plaintext
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

    def may_send_password(self, peer: Peer) -> bool:
        """Whether a password may be sent on this connection: it is encrypted, or plaintext is allowed on it."""
        if peer.secure or self._plaintext is Plaintext.ALWAYS:
            return True
        return self._plaintext is Plaintext.LOOPBACK and peer.local

    def mechanisms(self, peer: Peer) -> tuple[str, ...]:
        """SASL mechanisms offered to *peer*, strongest first. Those that send the password only if that is allowed."""
        if self.may_send_password(peer):
            return tuple(_MECHANISMS)
        return tuple(name for name in _MECHANISMS if name in _SENDS_NO_PASSWORD)

    async def login(self, name: bytes, password: bytes, peer: Peer) -> AccountEntry:
        """The account of *name*, if *password* is correct. Both are octets as sent, expected to be UTF-8.

        Raises Refused(AUTHENTICATIONFAILED; PRIVACYREQUIRED if a password may not be sent here; UNAVAILABLE).
        """
        self._require_privacy(peer)
        return await self._gate.check_password(name, password, peer.address)

    def exchange(self, mechanism: str, peer: Peer) -> Exchange:
        """Begins *mechanism* (upper case). Raises Refused(CANNOT) for an unknown one, PRIVACYREQUIRED."""
        begin = _MECHANISMS.get(mechanism)
        if begin is None:
            raise Refused(Code.CANNOT, texts.NO_SUCH_MECHANISM.of(mechanisms=" ".join(self.mechanisms(peer))))
        if mechanism not in _SENDS_NO_PASSWORD:
            self._require_privacy(peer)
        return begin(self._gate, peer.address)

    def _require_privacy(self, peer: Peer) -> None:
        if not self.may_send_password(peer):
            raise Refused(Code.PRIVACYREQUIRED, texts.ENCRYPT_FIRST)
