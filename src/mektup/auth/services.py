"""What every session is given, whatever it speaks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.durations import Durations
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from mektup.auth.authenticator import Authenticator
    from mektup.store.interface import Faults, Store


@dataclass(slots=True)
class Tally:
    """What happened so far in this process's sessions of one protocol; for the metrics, which read it when asked."""

    commands: int = 0
    """Answered, well or badly."""
    messages: int = 0
    """Taken into a mailbox, once for each mailbox."""
    bugs: int = 0
    """Errors of ours that a session lived through."""
    logins: int = 0
    refused_logins: int = 0
    connections: int = 0
    """Begun so far."""
    open: int = 0
    """At this moment."""
    refused_connections: int = 0
    octets_in: int = 0
    octets_out: int = 0
    """Of connections that have ended."""
    durations: Durations = field(default_factory=Durations)
    """Of commands, but those that were not understood."""


FAILED_LOGINS = frozenset({Code.AUTHENTICATIONFAILED, Code.AUTHORIZATIONFAILED, Code.UNAVAILABLE})
"""Refusals of a login that count towards ``limits.login_failures``: also of one who is too quick to be judged."""

LOGGED_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the way in, the bounds, and a log that already carries the session's id."""

    store: Store
    authenticator: Authenticator
    limits: Limits
    log: FilteringBoundLogger
    session_id: str
    """Short, ASCII; named in BYE and [SERVERBUG] so that a user's report finds its log lines."""
    hostname: str = "mektup"
    """For greetings."""
    can_start_tls: bool = True
    """Whether there is a certificate."""
    spool_directory: Path | None = None
    """Where a large message is kept while it comes in; None for the system's place for temporary files."""
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    """How LMTP delivers."""
    faults: Faults | None = None
    """Who hears of faults of the machine that are not the store's: of the disk, where a message is kept meanwhile."""
    tally: Tally = field(default_factory=Tally)
    """Shared by this process's sessions of the same protocol; a session counts commands, messages and bugs in it."""

    def log_failed_login(self, refusal: Refused, mechanism: str, name: bytes, address: str) -> None:
        """Logs that someone at *address* did not prove to be *name*, which is shown as given, cut and escaped."""
        shown = name[:LOGGED_NAME_BYTES].decode("utf-8", "backslashreplace")
        reason = "" if refusal.code is None else refusal.code.imap
        self.log.warning("auth_failed", user=shown, ip=address, mech=mechanism, reason=reason)
