"""Which moments of the past can be read."""

from __future__ import annotations

from datetime import UTC, datetime

from mektup.store import texts
from mektup.terms.errors import Code, Refused


def require_past(moment: int, now: float, begun: int) -> None:
    """Raises Refused(CANNOT) unless the second *moment* is over, and not before *begun*."""
    if moment >= int(now):
        raise Refused(Code.CANNOT, texts.MOMENT_NOT_OVER)
    if moment < begun:
        shown = datetime.fromtimestamp(begun, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        raise Refused(Code.CANNOT, texts.MOMENT_UNKNOWN.of(begun=shown))
