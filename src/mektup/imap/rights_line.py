"""The MYRIGHTS response (RFC 4314 §3.8), for MYRIGHTS and LIST RETURN (MYRIGHTS)."""

from __future__ import annotations

from mektup.terms.rights import Rights, spelled
from mektup.wire.mailbox_names import encode


def rights_line(name: str, rights: Rights, *, utf8: bool) -> bytes:
    """``* MYRIGHTS name rights``."""
    return b"* MYRIGHTS %b %b\r\n" % (encode(name, utf8=utf8), spelled(rights))
