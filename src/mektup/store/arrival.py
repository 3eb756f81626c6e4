"""Computes, once, everything about a message that never changes: digests, search keys, texts for the wire.

The only module of the store that uses wire: its string and body renderers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec

from mektup.message.addresses import Address
from mektup.message.dates import parse_date
from mektup.message.envelope import REMEMBERED, REMEMBERED_BYTES, Envelope, ShortAddresses, read_envelope
from mektup.message.headers import Fields, decode_words, field_text, selector, unfold
from mektup.message.layout import pack
from mektup.message.message_ids import first_message_id, message_ids
from mektup.message.preview import preview
from mektup.message.scan import Octets as Octets
from mektup.message.scan import Part, scan
from mektup.message.subject import base_subject
from mektup.message.text import fold, fold_header, value_text
from mektup.store.spool import Stretch
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.wire import bodies
from mektup.wire.strings import date_time, literal, string

DIGEST_BYTES: Final = 20

TWO_FORMS_BYTES: Final = 4097
"""The shortest result of ``two_forms``, in octets."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message ready to be stored, for any number of mailboxes and accounts."""

    raw: Octets | Stretch
    """As received, but every line ends in CRLF."""
    size: int
    """Octets: RFC822.SIZE."""
    header_size: int
    """Octets of the header with the empty line that ends it; the body starts there."""
    digest: bytes
    """BLAKE2b-160 of *raw*: identifies the content (EMAILID)."""

    envelope: bytes
    """Wire form, RFC 9051 §7.5.2."""
    body: bytes
    """Wire form of BODY; where the revisions of IMAP differ, both forms (see ``two_forms``)."""
    bodystructure: bytes
    """Wire form of BODYSTRUCTURE, or both forms."""
    layout: bytes
    """Packed part offsets, see ``message.layout``."""

    sent: int | None
    """The Date header in seconds since 1970 UTC; None where it is missing or cannot be parsed."""
    sent_zone: int
    """The zone of the Date header, minutes east of UTC."""

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
    """Whether base subject extraction removed a mark of a reply or forward."""
    from_key: str
    to_key: str
    cc_key: str
    """The mailbox of the first address, case-folded, for SORT."""
    display_from: str
    display_to: str
    """RFC 5957, case-folded."""
    message_id: str
    """Normalised msg-id without angle brackets, or empty."""
    references: tuple[str, ...]
    """The msg-ids of References, else the first of In-Reply-To."""

    preview: str
    """RFC 8970: see ``message.preview``."""

    @property
    def rendered_bytes(self) -> int:
        """The approximate size of the rendered values, without the message itself, in octets."""
        rendered = (self.envelope, self.body, self.bodystructure, self.layout)
        return sum(map(len, rendered)) + 2 * sum(map(len, (self.from_, self.to, self.cc, self.bcc, self.subject)))


def prepare(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> Arrival:
    """The Arrival of the message *raw*, whose lines already end in CRLF (see ``spool``).

    Accepts any octets and raises nothing.
    """
    parts = scan(raw, limits)
    message = parts[0]
    fields = message.fields
    envelope = read_envelope(fields, limits.addresses)
    body, bodystructure = _bodies(parts, limits.addresses)
    subject = field_text(envelope.subject) if envelope.subject is not None else ""
    base, is_reply = base_subject(subject)
    sent = parse_date(envelope.date) if envelope.date is not None else None
    from_key, display_from = _keys(envelope.from_)
    to_key, display_to = _keys(envelope.to)
    return Arrival(
        raw=raw,
        size=len(raw),
        header_size=message.content_start,
        digest=blake2b(raw, digest_size=DIGEST_BYTES).digest(),
        envelope=bodies.envelope(envelope),
        body=body,
        bodystructure=bodystructure,
        layout=pack(parts),
        sent=sent[0] if sent is not None else None,
        sent_zone=sent[1] if sent is not None else 0,
        subject=fold_header(subject),
        from_=_searchable(fields, b"from", limits.addresses),
        to=_searchable(fields, b"to", limits.addresses),
        cc=_searchable(fields, b"cc", limits.addresses),
        bcc=_searchable(fields, b"bcc", limits.addresses),
        base_subject=fold(base),
        is_reply=is_reply,
        from_key=from_key,
        to_key=to_key,
        cc_key=_keys(envelope.cc)[0],
        display_from=display_from,
        display_to=display_to,
        message_id=_message_id(envelope.message_id),
        references=_references(fields, envelope, limits.references),
        preview=preview(raw, parts),
    )


@lru_cache(1024)
def internaldate(seconds: int, zone: int) -> bytes:
    """INTERNALDATE as FETCH shows it, of *seconds* since 1970 UTC, in the zone *zone* minutes east of UTC."""
    return date_time(seconds, zone)


def shown_preview(preview: str) -> bytes:
    """PREVIEW as FETCH shows it (RFC 8970)."""
    return string(preview.encode())


def _bodies(parts: Sequence[Part], most_addresses: int) -> tuple[bytes, bytes]:
    body, structure = bodies.bodies(parts, most_addresses)
    if not bodies.differ_in_rev1(parts):
        return body, structure
    body_in_rev1, structure_in_rev1 = bodies.bodies(parts, most_addresses, rev1=True)
    return two_forms(body_in_rev1, body), two_forms(structure_in_rev1, structure)


def two_forms(rev1: bytes, rev2: bytes) -> bytes:
    """Packs two renderings into one value. A rendering begins with "(", so it is never mistaken for such a value.

    Layout: octet 1, both lengths as eight digits each, *rev1*, *rev2*, and NULs up to TWO_FORMS_BYTES. A value of this
    length is too long for a Form, so a Form never has to check for such values.
    """
    return (b"\x01%08d%08d%b%b" % (len(rev1), len(rev2), rev1, rev2)).ljust(TWO_FORMS_BYTES, b"\0")


def one_form(value: bytes, *, rev1: bool) -> bytes:
    """The form for this revision of IMAP where ``two_forms`` made *value*, else *value* itself."""
    if not value.startswith(b"\x01"):
        return value
    start, sizes = 1 + 2 * 8, (int(value[1:9]), int(value[9:17]))
    return value[start : start + sizes[0]] if rev1 else value[start + sizes[0] : start + sum(sizes)]


def field_chooser(names: frozenset[bytes]) -> Callable[[bytes], bytes]:
    """A function that selects the fields *names* of a header, in any letter case, and returns them as a literal.

    For ``BODY[HEADER.FIELDS (...)]``, RFC 9051 §6.4.5.1.
    """
    select = selector(names, exclude=False)
    return lambda header: literal(select(header))


def chosen_literal(pieces: Sequence[bytes]) -> bytes:
    """The same literal from already selected fields, given in *pieces*."""
    return literal(b"".join(pieces))


def _searchable(fields: Fields, name: bytes, most_addresses: int) -> str:
    """The text of all fields with that name."""
    values = fields.get(name)
    if values is None:
        return ""
    if len(values) == 1:
        value = values[0]
        return (_known_text if len(value) <= REMEMBERED_BYTES else value_text)(name, value, most_addresses)
    return "\n".join([value_text(name, value, most_addresses) for value in values])


_known_text = lru_cache(REMEMBERED)(value_text)


def _keys(addresses: Sequence[Address]) -> tuple[str, str]:
    """The mailbox of the first address (RFC 5256 §3, FROM), and what is shown for it (RFC 5957 §3); both folded."""
    if not addresses:
        return "", ""
    return (_known_keys if type(addresses) is ShortAddresses else _read_keys)(addresses[0])


def _read_keys(address: Address) -> tuple[str, str]:
    return fold(decode_words(address.mailbox or b"")), _display_key(address)


_known_keys = lru_cache(REMEMBERED)(_read_keys)


def _display_key(address: Address) -> str:
    """RFC 5957 §3: the name of the address, else ``mailbox@host``, else its mailbox."""
    name, _, mailbox, host = address
    shown = decode_words(name).strip() if name else ""
    if not shown and mailbox is not None:
        shown = decode_words(mailbox if host is None else b"%b@%b" % (mailbox, host))
    return fold(shown)


def _message_id(value: bytes | None) -> str:
    return first_message_id(value) if value is not None else ""


def _references(fields: Fields, envelope: Envelope, most: int) -> tuple[str, ...]:
    """RFC 5256 §3, REFERENCES: those of References, else the first of In-Reply-To."""
    values = fields.get(b"references")
    ids = message_ids(unfold(values[-1]), most) if values else []
    if not ids and envelope.in_reply_to is not None and (first := first_message_id(envelope.in_reply_to)):
        return (first,)
    return tuple(ids)
