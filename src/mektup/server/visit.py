"""What the server knows about one connection."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from mektup.server.addresses import Service
from mektup.session.life import Ending
from mektup.session.services import Tally
from mektup.session.tap import Tap

CONNECTING = "connecting"
"""The stage of a connection before its session: the TLS handshake, mostly."""


class Session(Protocol):
    """A session of one protocol with one client."""

    commands: int
    """Commands so far."""
    fetched: int
    """Messages fetched so far."""
    ending: Ending | None
    tap: Tap | None
    last_command: str
    identity: str | None

    async def run(self) -> None:
        """Serves the client until one of the two says goodbye."""

    def tell_progress(self, now: float) -> None:
        """Tells a client that its command goes on, if it is time to; *now* is of ``time.monotonic()``."""

    @property
    def stage(self) -> str:
        """One of ``session.life.STAGES``."""

    @property
    def mailbox(self) -> str | None:
        """The selected mailbox."""

    @property
    def since(self) -> float:
        """When the last command began or ended, of ``time.monotonic()``."""


@dataclass(slots=True)
class Visit:
    """One connection, from its acceptance until its socket is closed."""

    service: Service
    session_id: str
    tally: Tally
    log: FilteringBoundLogger
    port: int | None = None
    """The client's; None for a Unix socket."""
    user: str | None = None
    """The account that logged in."""
    session: Session | None = None
    """None before the session, after its end, and for a connection that is refused."""
    began: float = field(default_factory=time.monotonic)

    @property
    def stage(self) -> str:
        """One of ``session.life.STAGES``, or CONNECTING."""
        return CONNECTING if self.session is None else self.session.stage
