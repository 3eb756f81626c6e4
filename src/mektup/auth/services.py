"""What every session is given, whatever it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mektup.terms.limits import Limits

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from mektup.auth.authenticator import Authenticator
    from mektup.store.interface import Store


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
