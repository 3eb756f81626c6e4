"""The grammar of the commands about the connection: ID, LANGUAGE, COMPARATOR, AUTHENTICATE, LOGIN, COMPRESS, ENABLE."""

from __future__ import annotations

import binascii
import re
from typing import Final

from mektup.terms.errors import ClientError
from mektup.wire import texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import INITIAL_RESPONSE, NIL
from mektup.wire.requests import Authenticate, ChooseComparator, Compress, Enable, Id, Language, Login

LANGUAGE_RANGE = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*")
"""language-range of RFC 4647 §2.1; so "i-default" and "default" are ranges, too."""

# collation-order = ["+" / "-"] collation-wild (RFC 4790 §3.3)
COLLATION_ORDER: Final = re.compile(rb"[+-]?[A-Za-z*][A-Za-z0-9;=.*-]{0,253}")


def id_(cursor: CommandCursor, tag: bytes) -> Id:
    """id = "ID" SP id-params-list; id-params-list = "(" *(string SP nstring) ")" / nil (RFC 2971 §4).

    RFC 2971 §3.3 limits the number of fields, and the length of names and values.
    """
    cursor.expect_space(texts.NIL_OR_FIELDS)
    fields: list[tuple[bytes, bytes | None]] = []

    def field(cursor: CommandCursor) -> None:
        if len(fields) == cursor.limits.id_fields:
            raise cursor.wrong(texts.MOST_FIELDS.of(most=cursor.limits.id_fields))
        fields.append(_id_field(cursor))

    if not cursor.take(NIL):
        cursor.parenthesized(field, texts.FIELDS)
    cursor.expect_end()
    return Id(tag, tuple(fields))


def _id_field(cursor: CommandCursor) -> tuple[bytes, bytes | None]:
    limits, column = cursor.limits, cursor.column
    # Liberty: a field's name without quotes, as people type it.
    name = cursor.astring(texts.FIELD_NAME)
    if len(name) > limits.id_name_bytes:
        raise ClientError(texts.FIELD_NAME_TOO_LONG.of(octets=limits.id_name_bytes), column)
    cursor.expect_space(texts.FIELD_VALUE)
    column = cursor.column
    value = cursor.nstring(texts.FIELD_VALUE)
    if value is not None and len(value) > limits.id_value_bytes:
        raise ClientError(texts.FIELD_VALUE_TOO_LONG.of(octets=limits.id_value_bytes), column)
    return name, value


def language(cursor: CommandCursor, tag: bytes) -> Language:
    """language-cmd = "LANGUAGE" *(SP lang-range-quoted) (RFC 5255 §3.5)."""
    ranges = []
    while cursor.take_space():
        column = cursor.column
        name = cursor.astring(texts.A_LANGUAGE)
        if not LANGUAGE_RANGE.fullmatch(name):
            raise ClientError(texts.EXPECTED.of(expected=texts.A_LANGUAGE), column)
        ranges.append(name.decode("ascii").lower())
    cursor.expect_end()
    return Language(tag, tuple(ranges))


def authenticate(cursor: CommandCursor, tag: bytes) -> Authenticate:
    """authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] (RFC 9051 §9, RFC 4959)."""
    cursor.expect_space(texts.A_MECHANISM)
    mechanism = cursor.expect_atom(texts.A_MECHANISM).decode("ascii")
    initial = _initial_response(cursor) if cursor.take_space() else None
    cursor.expect_end()
    return Authenticate(tag, mechanism, initial)


def _initial_response(cursor: CommandCursor) -> bytes:
    """initial-resp = base64 / "="."""
    start = cursor.at
    octets = cursor.expect(INITIAL_RESPONSE, texts.INITIAL_RESPONSE)[0]
    try:
        return b"" if octets == b"=" else binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error as error:
        cursor.at = start
        raise cursor.wrong(texts.INITIAL_RESPONSE) from error


def login(cursor: CommandCursor, tag: bytes) -> Login:
    """login = "LOGIN" SP userid SP password; both are astrings (RFC 9051 §9).

    Liberty: "%" and "*" without quotes, because imaplib sends names like linda%example.org so, and people type
    passwords so.
    """
    cursor.expect_space(texts.USER_AND_PASSWORD)
    user = cursor.list_mailbox(texts.USER)
    cursor.expect_space(texts.PASSWORD)
    password = cursor.list_mailbox(texts.QUOTED_PASSWORD)
    cursor.skip_spaces()
    if not cursor.at_end:
        raise cursor.wrong(texts.END_AFTER_PASSWORD)
    return Login(tag, user, password)


def compress(cursor: CommandCursor, tag: bytes) -> Compress:
    """compress = "COMPRESS" SP algorithm; algorithm = "DEFLATE" (RFC 4978 §5)."""
    cursor.expect_space("DEFLATE")
    start = cursor.at
    if cursor.expect_atom("DEFLATE").upper() != b"DEFLATE":
        cursor.at = start
        raise cursor.wrong("DEFLATE")
    cursor.expect_end()
    return Compress(tag)


def enable(cursor: CommandCursor, tag: bytes) -> Enable:
    """enable = "ENABLE" 1*(SP capability) (RFC 9051 §9)."""
    cursor.expect_space(texts.CAPABILITIES)
    names = [cursor.expect_atom(texts.A_CAPABILITY).decode("ascii")]
    while cursor.take_space():
        names.append(cursor.expect_atom(texts.A_CAPABILITY).decode("ascii"))
    cursor.expect_end()
    return Enable(tag, tuple(names))


def comparator(cursor: CommandCursor, tag: bytes) -> ChooseComparator:
    """comparator-cmd = "COMPARATOR" *(SP comp-order-quoted); each is an astring (RFC 5255 §4.10).

    Liberty: "*" without quotes, because people type it so.
    """
    patterns: list[str] = []
    while cursor.take_space():
        if len(patterns) == cursor.limits.comparators:
            raise cursor.wrong(texts.MOST_COMPARATORS.of(most=cursor.limits.comparators))
        column = cursor.column
        octets = cursor.list_mailbox(texts.A_COMPARATOR)
        if not COLLATION_ORDER.fullmatch(octets):
            raise ClientError(texts.EXPECTED.of(expected=texts.A_COMPARATOR), column)
        patterns.append(octets.decode("ascii"))
    cursor.expect_end()
    return ChooseComparator(tag, tuple(patterns))
