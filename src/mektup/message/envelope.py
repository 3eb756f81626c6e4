"""The values of ENVELOPE: ten fields of a message's header, parsed but not decoded (RFC 9051 §7.5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from mektup.message.addresses import Address, parse_addresses
from mektup.message.headers import Fields, unfold, words

Addresses = tuple[Address, ...]

REMEMBERED_BYTES: Final = 200
"""The longest value of an address field that is cached: most mail has the same few senders and recipients."""

REMEMBERED: Final = 1024
"""How many values are cached."""


class ShortAddresses(tuple[Address, ...]):
    """Addresses from a value of at most REMEMBERED_BYTES: so short that what is made of them may be cached, too."""

    __slots__ = ()


class Envelope(NamedTuple):
    """The fields as unfolded octets, single spaces in the subject. None, or no addresses, for a missing field.

    A message should have each field once. If it has one twice, the last text and all addresses count, as in Dovecot.
    """

    date: bytes | None
    subject: bytes | None
    from_: Addresses
    sender: Addresses
    """*from_* if the field is missing; *reply_to* too (RFC 9051 §7.5.2)."""
    reply_to: Addresses
    to: Addresses
    cc: Addresses
    bcc: Addresses
    in_reply_to: bytes | None
    message_id: bytes | None


def read_envelope(fields: Fields, most_addresses: int) -> Envelope:
    """The envelope of a message with the header *fields*; at most *most_addresses* addresses of each field."""

    def text(name: bytes) -> bytes | None:
        values = fields.get(name)
        return unfold(values[-1]) if values else None

    def addresses(name: bytes) -> Addresses:
        values = fields.get(name)
        if values is None:
            return ()
        if len(values) == 1:
            return read_addresses(values[0], most_addresses)
        return tuple(_first(most_addresses, values))

    from_ = addresses(b"from")
    return Envelope(
        text(b"date"),
        words(subjects[-1]) if (subjects := fields.get(b"subject")) else None,
        from_,
        addresses(b"sender") or from_,
        addresses(b"reply-to") or from_,
        addresses(b"to"),
        addresses(b"cc"),
        addresses(b"bcc"),
        text(b"in-reply-to"),
        text(b"message-id"),
    )


def read_addresses(value: bytes, most: int) -> Addresses:
    """The addresses of a field's value, folded or not; about *most* at most."""
    return (_known if len(value) <= REMEMBERED_BYTES else _read)(value, most)


def _read(value: bytes, most: int) -> Addresses:
    return tuple(parse_addresses(unfold(value), most))


@lru_cache(REMEMBERED)
def _known(value: bytes, most: int) -> Addresses:
    return ShortAddresses(_read(value, most))


def _first(most: int, values: list[bytes]) -> Iterator[Address]:
    for value in values:
        found = parse_addresses(unfold(value), most)
        yield from found
        most -= len(found)
        if most <= 0:
            return
