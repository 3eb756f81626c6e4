"""What a look at a database of the store has found. It needs no library."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class State(Enum):
    """The state of a database."""

    WRONG = auto()
    """Its connection string cannot be read."""
    DOWN = auto()
    """Nobody answers, or not to this user."""
    OLD_SERVER = auto()
    """The server is too old."""
    TOO_NEW = auto()
    """A newer mektup made the tables, and this one cannot use them."""
    EMPTY = auto()
    """It has no tables yet."""
    READY = auto()


@dataclass(frozen=True, slots=True)
class Inspected:
    """A database."""

    state: State
    reason: str = ""
    """Why it is down, or the server's version."""
    is_synchronous: bool = True
    """Whether a commit waits for a standby."""
    seconds_ahead: float = 0.0
    """How much its clock is ahead of this machine's."""
