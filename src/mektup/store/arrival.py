"""Raw bytes to all that never changes about a message, rendered once.

The only user of wire in the store: its string and body renderers.
"""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap

Octets = bytes | mmap
"""A message's bytes: in memory, or mapped from a temporary file where it is large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message ready to be stored, for any number of mailboxes and accounts."""

    raw: Octets
    """Every line ends in CRLF; else as received."""
    size: int
    """Octets: RFC822.SIZE."""
    header_size: int
    """Octets of the header with the empty line that ends it; the body starts there."""
    digest: bytes
    """BLAKE2b-160 of *raw*: names the content (EMAILID)."""

    envelope: bytes
    """Wire form, RFC 9051 §7.5.2."""
    body: bytes
    """Wire form of BODY."""
    bodystructure: bytes
    """Wire form."""
    layout: bytes
    """Packed part offsets, see ``message.layout``."""

    sent: int | None
    """The Date header in seconds since 1970 UTC; None where there is none that can be read."""
    sent_zone: int
    """Its zone, minutes east of UTC."""

    subject: str
    """Decoded and case-folded, for SEARCH."""
    from_: str
    to: str
    cc: str
    bcc: str
    """Decoded and case-folded address fields, for SEARCH."""

    base_subject: str
    """RFC 5256 §2.1, for SORT and THREAD; case-folded."""
    is_reply: bool
    """Whether base subject extraction took something off that marks a reply or forward."""
    from_key: str
    to_key: str
    cc_key: str
    """The first address's mailbox, case-folded, for SORT."""
    display_from: str
    display_to: str
    """RFC 5957, case-folded."""
    message_id: str
    """Normalised msg-id without angle brackets, or empty."""
    references: tuple[str, ...]
    """msg-ids of References, else the first of In-Reply-To."""

    preview: str
    """RFC 8970: up to 200 characters of its text, white space folded."""


def prepare(raw: Octets) -> Arrival:
    """All that never changes about the message *raw*, whose lines end in CRLF already (see ``spool``)."""
    raise NotImplementedError
