"""Ensures that no UID or modseq that a client may have seen is used again, whatever happened to the file.

Three events can set a file back to an older state than a client has seen:

* **A power loss.** A change of flags alone does not wait for the disk. If the last process did not close the file
  properly, the first one to open it after a restart of the machine leaves a gap in UIDs and modseqs, and marks every
  message as changed: a client that resynchronises with a modseq (RFC 7162) learns which flags were kept.
* **A copy**, perhaps of an older backup: the file is at another place than it records (``place``). Mostly nothing is
  lost, for example when the data moved to another disk. So the gap is left, wide enough for a backup of any age. A
  client only has to read the flags again.
* **Certainly an older copy**: the highest modseq is lower than the one known (``seen``), or the operator says so. Then
  clients' caches are wrong, and messages deleted since are back. So every mailbox gets a new UIDVALIDITY (RFC 9051
  §2.3.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mektup.terms.numbers import MAX_UINT32

MODSEQ_GAP = 1_000_000
"""More changes than a file gets in the seconds until the system writes its page cache."""

UID_GAP = 1000
"""More messages than can arrive during one sync."""

OLD_MODSEQ_GAP = 1_000_000_000_000
"""More changes than an account gets in the life of a backup."""

OLD_UID_GAP = 1_000_000
"""More messages than a mailbox gets in the life of a backup; there are enough UIDs for 4,000 such gaps."""

OLD_CONTENT_GAP = 1_000_000_000
OLD_MAILBOX_GAP = 1_000_000


class Loss(Enum):
    """How much of a file's last changes may be lost."""

    NOTHING = auto()
    LAST_MOMENT = auto()
    """Power was lost while the file was in use."""
    PERHAPS_MUCH = auto()
    """The file is a copy."""
    MUCH = auto()
    """The file is older than the one before it."""


@dataclass(frozen=True, slots=True)
class Now:
    """What the process knows about a file when it opens it."""

    life: str
    """The current boot of the machine, see ``boot``."""
    place: str
    """See ``place.place_of``."""
    seen: int
    """The highest modseq that the file is known to have used, see ``seen``."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an account's file records about itself."""

    modseq: int
    closed: int
    """The modseq when the file was last closed properly."""
    life: str
    """The boot of the machine when the file was last opened."""
    place: str
    """The place of the file then; empty where it is not known."""


def loss_of(kept: Kept, now: Now) -> Loss:
    """How much of an account may be lost."""
    if kept.modseq < now.seen:
        return Loss.MUCH
    if kept.place not in ("", now.place):
        return Loss.PERHAPS_MUCH
    return Loss.LAST_MOMENT if kept.life != now.life and kept.closed != kept.modseq else Loss.NOTHING


def has_room_for_gap(uidnext: int) -> bool:
    """Whether a mailbox has enough UIDs for a gap of OLD_UID_GAP; else it needs a new UIDVALIDITY."""
    return uidnext < MAX_UINT32 - 2 * OLD_UID_GAP
