"""Which moments of the past can be read, and where expunged messages come back to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mektup.store import texts
from mektup.terms.errors import Code, Refused

LOST_PLACE: Final = "Deleted"
"""Where messages come back to whose mailbox is not known any more, because too many mailboxes were renamed since."""


def place(now: str | None, last: str | None) -> tuple[str, bool]:
    """The name of a mailbox that had messages, and whether it was deleted.

    *now* is its present name, None where it is not there; *last* is the last one that it had, None where that is lost.
    """
    return (LOST_PLACE if last is None else last, True) if now is None else (now, False)


def require_past(moment: int, now: float, begun: int) -> None:
    """Raises Refused(CANNOT) unless the second *moment* is over, and not before *begun*."""
    if moment >= int(now):
        raise Refused(Code.CANNOT, texts.MOMENT_NOT_OVER)
    if moment < begun:
        shown = datetime.fromtimestamp(begun, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Refused(Code.CANNOT, texts.MOMENT_UNKNOWN.of(begun=shown))
