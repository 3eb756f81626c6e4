"""The services that a session of any protocol gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.durations import Durations
from mektup.terms.limits import Limits

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from mektup.auth.authenticator import Authenticator
    from mektup.store.faults import Faults
    from mektup.store.interface import Store


@dataclass(slots=True)
class Tally:
    """Counters of one protocol's sessions in this process; the metrics read them when they are asked."""

    commands: int = 0
    """Commands answered, with success or not."""
    messages: int = 0
    """Messages stored in a mailbox, counted once for each mailbox."""
    bugs: int = 0
    """Our own errors after which the session went on."""
    uncertain: int = 0
    """Changes that were refused, although it is not known whether they were made."""
    logins: int = 0
    refused_logins: int = 0
    connections: int = 0
    """Connections begun so far."""
    open: int = 0
    """Connections open now."""
    refused_connections: int = 0
    octets_in: int = 0
    octets_out: int = 0
    """Both of ended connections only."""
    durations: Durations = field(default_factory=Durations)
    """Durations of all commands that could be parsed."""


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the authenticator, the limits, and a log that already contains the session's id."""

    store: Store
    authenticator: Authenticator
    limits: Limits
    log: FilteringBoundLogger
    session_id: str
    """Short, ASCII. BYE and [SERVERBUG] name it, so that the log lines of a user's report can be found."""
    hostname: str = "mektup"
    """Named in greetings."""
    can_start_tls: bool = True
    """Whether there is a certificate."""
    spool_directory: Path | None = None
    """Where a large message is stored while it is received; None for the system's temporary directory."""
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    """How LMTP delivers."""
    faults: Faults | None = None
    """Gets faults of the machine outside of the store, such as of the disk of ``spool_directory``."""
    tally: Tally = field(default_factory=Tally)
    """Shared by this process's sessions of one protocol. A session counts commands, messages and bugs in it."""
