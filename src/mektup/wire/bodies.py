"""ENVELOPE, BODY and BODYSTRUCTURE of a message as wire bytes (RFC 9051 §7.5.2). Only this module of wire uses message.

Strings are the header's octets, unfolded. They are quoted where that is allowed, else literals; 8-bit octets always
make a literal (``docs/decisions/0001-raw-8-bit-headers.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from mektup.message.addresses import Address
from mektup.message.content_fields import content_id, content_location, content_md5
from mektup.message.envelope import REMEMBERED, Envelope, ShortAddresses, read_envelope
from mektup.message.headers import unfold
from mektup.message.params import CACHED_BYTES, ContentType, parse_disposition, parse_languages
from mektup.message.rfc2231 import Params
from mektup.message.scan import Part
from mektup.wire.strings import nstring, string

_US_ASCII = (b"charset", b"us-ascii")
"""RFC 9051 §7.5.2 requires parameters for text; RFC 2045 §5.2 gives this default."""


def envelope(values: Envelope) -> bytes:
    """ENVELOPE, with its parentheses."""
    from_ = _addresses(values.from_)
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(values.date),
        nstring(values.subject),
        from_,
        from_ if values.sender is values.from_ else _addresses(values.sender),
        from_ if values.reply_to is values.from_ else _addresses(values.reply_to),
        _addresses(values.to),
        _addresses(values.cc),
        _addresses(values.bcc),
        nstring(values.in_reply_to),
        nstring(values.message_id),
    )


def differ_in_rev1(parts: Sequence[Part]) -> bool:
    """Whether ``bodies`` of *parts* differs for IMAP4rev1."""
    return any(part.is_message and _is_global(part) for part in parts)


def bodies(parts: Sequence[Part], most_addresses: int, *, rev1: bool = False) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE of a message with these parts, as ``scan`` returns them.

    *most_addresses*: how many addresses of each field of an embedded message are shown. *rev1*: message/global is a
    basic body and no media-message of RFC 9051 §9, because RFC 3501 knows only message/rfc822.
    """
    rendered: dict[Part, tuple[bytes, bytes]] = {}
    for part in reversed(parts):  # parents are before their children, so in reverse the children are first
        inner = [rendered.pop(child) for child in part.children]
        if part.is_multipart:
            rendered[part] = _multipart(part, inner)
        else:
            is_message = part.is_message and not (rev1 and _is_global(part))
            rendered[part] = _single(part, inner if is_message else [], most_addresses)
    return rendered[parts[0]]


def _is_global(part: Part) -> bool:
    return part.content_type.subtype.lower() == b"global"


def _multipart(part: Part, inner: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """body-type-mpart, without and with body-ext-mpart."""
    subtype = string(part.content_type.subtype)
    body = b"(%b %b)" % (b"".join([body for body, _ in inner]), subtype)
    structure = b"(%b %b %b %b)" % (
        b"".join([structure for _, structure in inner]),
        subtype,
        _params(part.content_type.params),
        _extension(part),
    )
    return body, structure


def _single(part: Part, inner: list[tuple[bytes, bytes]], most_addresses: int) -> tuple[bytes, bytes]:
    """body-type-1part, without and with body-ext-1part. *inner*: the same of the embedded message, if there is one."""
    values = part.fields.get(b"content-type")
    is_short = values is None or len(values[0]) <= CACHED_BYTES
    encoding = part.encoding
    fields = b"%b %b %b %b %d" % (
        (_known_type if is_short else _type)(part.content_type, part.is_text),
        _read(part, b"content-id", content_id),
        _read(part, b"content-description", unfold),
        string(encoding) if encoding is not None else b'"7bit"',
        part.octets,
    )
    extension = b"%b %b" % (_read(part, b"content-md5", content_md5), _extension(part))
    if inner:
        message_envelope = envelope(read_envelope(part.children[0].fields, most_addresses))
        ((body, structure),) = inner
        return (
            b"(%b %b %b %d)" % (fields, message_envelope, body, part.lines),
            b"(%b %b %b %d %b)" % (fields, message_envelope, structure, part.lines, extension),
        )
    if part.is_text:
        fields = b"%b %d" % (fields, part.lines)
    return b"(%b)" % fields, b"(%b %b)" % (fields, extension)


def _type(content_type: ContentType, is_text: bool) -> bytes:
    """The type, the subtype and body-fld-param."""
    params = content_type.params
    if is_text and content_type.param(b"charset") is None:
        params = (*params, _US_ASCII)
    return b"%b %b %b" % (string(content_type.type), string(content_type.subtype), _params(params))


_known_type = lru_cache(256)(_type)


def _extension(part: Part) -> bytes:
    """body-fld-dsp, body-fld-lang and body-fld-loc."""
    fields = part.fields
    disposition = parse_disposition(fields[b"content-disposition"][0]) if b"content-disposition" in fields else None
    languages = parse_languages(fields[b"content-language"][0]) if b"content-language" in fields else ()
    return b"%b %b %b" % (
        b"(%b %b)" % (string(disposition.kind), _params(disposition.params)) if disposition is not None else b"NIL",
        b"(%b)" % b" ".join([string(language) for language in languages]) if languages else b"NIL",
        _read(part, b"content-location", content_location),
    )


def _read(part: Part, name: bytes, read: Callable[[bytes], bytes]) -> bytes:
    """The first field *name*, parsed by *read*, as an nstring."""
    values = part.fields.get(name)
    return nstring(read(values[0])) if values else b"NIL"


def _params(params: Params) -> bytes:
    """body-fld-param."""
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (string(name), string(value)) for name, value in params])


def _addresses(addresses: tuple[Address, ...]) -> bytes:
    """env-from and the other address lists."""
    if not addresses:
        return b"NIL"
    return (_known_addresses if type(addresses) is ShortAddresses else _address_list)(addresses)


def _address_list(addresses: tuple[Address, ...]) -> bytes:
    return b"(%b)" % b"".join(
        [
            b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(mailbox), nstring(host))
            for name, route, mailbox, host in addresses
        ]
    )


_known_addresses = lru_cache(REMEMBERED)(_address_list)
