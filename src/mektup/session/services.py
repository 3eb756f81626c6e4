"""The services that a session of any protocol gets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mektup.session.refusal_log import RefusalLog
from mektup.store.spool import SpoolMemory
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.durations import Durations
from mektup.terms.errors import Code
from mektup.terms.limits import Limits
from mektup.terms.log_rules import DEFAULT_LOG_RULES, LogRules
from mektup.terms.names import account_key

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from mektup.auth.authenticator import Authenticator
    from mektup.session.tap import Taps
    from mektup.store.faults import Faults
    from mektup.store.interface import Store


@dataclass(slots=True)
class Tally:
    """Counters of one protocol's sessions in this process; the metrics read them when they are asked."""

    mistakes: int = 0
    """Commands that could not be understood, or not in that state; they are in no other count."""
    messages: int = 0
    """Messages stored in a mailbox, counted once for each mailbox."""
    message_octets: int = 0
    """The octets of these messages."""
    slow_commands: int = 0
    """Commands that took longer than ``LogRules.slow_command_seconds``."""
    bugs: int = 0
    """Our own errors after which the session went on."""
    uncertain: int = 0
    """Changes that were refused, although it is not known whether they were made."""
    logins: int = 0
    refused_logins: Counter[str] = field(default_factory=Counter)
    """By reason, one of ``life.LOGIN_REASONS``."""
    refusals: Counter[Code | None] = field(default_factory=Counter)
    """Commands refused, by response code."""
    connections: int = 0
    """Connections begun so far."""
    refused_connections: int = 0
    octets_in: int = 0
    octets_out: int = 0
    """Both of ended connections only."""
    durations: Durations = field(default_factory=Durations)
    """Of all commands that could be parsed: how many there were, and how long they took."""

    def stored(self, octets: int) -> None:
        """Counts a message of *octets* that was stored in a mailbox."""
        self.messages += 1
        self.message_octets += octets


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
    hidden: frozenset[str] = frozenset()
    """Capabilities that the operator hides from this client, in upper case."""
    can_start_tls: bool = True
    """Whether there is a certificate."""
    spool_directory: Path | None = None
    """Where a large message is stored while it is received; None for the system's temporary directory."""
    spool_memory: SpoolMemory = field(default_factory=SpoolMemory)
    """Shared by all sessions of this process: what messages that are being received may take of its memory."""
    delivery: DeliveryRules = DEFAULT_DELIVERY_RULES
    """How LMTP delivers."""
    administrators: frozenset[str] = frozenset()
    """The keys of the accounts (``terms.names.account_key``) that may change what belongs to the server."""
    contact: str = ""
    """A URI by which users reach the operator (RFC 5464 §3.2.1.1 /shared/admin); empty for none."""
    faults: Faults | None = None
    """Gets faults of the machine outside of the store, such as of the disk of ``spool_directory``."""
    log_rules: LogRules = DEFAULT_LOG_RULES
    refusal_log: RefusalLog = field(default_factory=RefusalLog)
    """Shared by this process's sessions of all protocols."""
    taps: Taps | None = None
    """Those who follow the mail of an account; told of deliveries to it. None if that cannot be asked for."""
    tally: Tally = field(default_factory=Tally)
    """Shared by this process's sessions of one protocol. A session counts commands, messages and bugs in it."""

    def is_administrator(self, account: str) -> bool:
        """Whether the account of that name may change what belongs to the server, such as quotas."""
        return bool(self.administrators) and account_key(account) in self.administrators
