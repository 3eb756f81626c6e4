"""UIDs and modseqs that somebody may have seen are not given a second time, whatever happened to the file.

Three things can bring a file back to what it was before a client was told more:

* **A loss of power.** A change of flags alone does not wait for the disk. So the first to open a file after the
  machine started, where the last to use it did not close it well, leaves a gap in both, and every message counts as
  changed: a client that comes back with a modseq (RFC 7162) hears which flags were kept.
* **A copy that was moved here**, perhaps from an older backup: the file is not the one that it says it is (``place``).
  Most often nothing is lost, as when the data moved to another disk; so the gap is left, wide enough for a backup of
  any age. It costs a client nothing but a look at the flags.
* **An older copy, for certain**: the file has not come as far as it is known to have come (``seen``), or an operator
  says so. What clients hold is then worth nothing, and what was deleted since is there again. So every mailbox
  gets a new UIDVALIDITY (RFC 9051 §2.3.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mektup.terms.numbers import MAX_UINT32

MODSEQ_GAP = 1_000_000
"""More changes than one file sees in the seconds until the system writes its page cache."""

UID_GAP = 1000
"""More messages than can arrive during one sync."""

OLD_MODSEQ_GAP = 1_000_000_000_000
"""More changes than an account sees in the life of a backup."""

OLD_UID_GAP = 1_000_000
"""More messages than a mailbox gets in the life of a backup; UIDs are enough for 4,000 of these."""

OLD_CONTENT_GAP = 1_000_000_000
OLD_MAILBOX_GAP = 1_000_000


class Loss(Enum):
    """What may be lost of a file."""

    NOTHING = auto()
    LAST_MOMENT = auto()
    """Power was lost while it was in use."""
    PERHAPS_MUCH = auto()
    """It is a copy."""
    MUCH = auto()
    """It is older than what was there."""


@dataclass(frozen=True, slots=True)
class Now:
    """What is true of a file when it is opened."""

    life: str
    """Of the machine, see ``boot``."""
    place: str
    """See ``place.place_of``."""
    seen: int
    """The highest modseq that the file is known to have given, see ``seen``."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an account says of itself."""

    modseq: int
    closed: int
    """The modseq at which it was closed well."""
    life: str
    """Of the machine, in which it was opened last."""
    place: str
    """Where it lay then; empty where that is not known."""


def loss_of(kept: Kept, now: Now) -> Loss:
    """What may be lost of an account."""
    if kept.modseq < now.seen:
        return Loss.MUCH
    if kept.place not in ("", now.place):
        return Loss.PERHAPS_MUCH
    return Loss.LAST_MOMENT if kept.life != now.life and kept.closed != kept.modseq else Loss.NOTHING


def has_room_for_gap(uidnext: int) -> bool:
    """Whether a mailbox may leave a gap as for a backup of any age, and have UIDs left; else it needs a UIDVALIDITY."""
    return uidnext < MAX_UINT32 - 2 * OLD_UID_GAP
