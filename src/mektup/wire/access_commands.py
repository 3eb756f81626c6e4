"""The grammar of the commands for identity and capabilities: ID, AUTHENTICATE, LOGIN, COMPRESS, ENABLE."""

from __future__ import annotations

import binascii
from typing import Final

from mektup.terms.errors import ClientError
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import INITIAL_RESPONSE, NIL
from mektup.wire.requests import Authenticate, Compress, Enable, Id, Login

_INITIAL: Final = "an initial response in base64, or = for an empty one"


def id_(cursor: CommandCursor, tag: bytes) -> Id:
    """id = "ID" SP id-params-list; id-params-list = "(" *(string SP nstring) ")" / nil (RFC 2971 §4).

    RFC 2971 §3.3 limits the number of fields, and the length of names and values.
    """
    cursor.expect_space('NIL or fields such as ("name" "mutt")')
    fields: list[tuple[bytes, bytes | None]] = []

    def field(cursor: CommandCursor) -> None:
        if len(fields) == cursor.limits.id_fields:
            raise cursor.wrong(f"at most {cursor.limits.id_fields} fields")
        fields.append(_id_field(cursor))

    if not cursor.take(NIL):
        cursor.parenthesized(field, 'fields such as ("name" "mutt")')
    cursor.expect_end()
    return Id(tag, tuple(fields))


def _id_field(cursor: CommandCursor) -> tuple[bytes, bytes | None]:
    limits, column = cursor.limits, cursor.column
    # Liberty: a field's name without quotes, as people type it.
    name = cursor.astring("the name of a field")
    if len(name) > limits.id_name_bytes:
        raise ClientError(f"Expected a field's name of at most {limits.id_name_bytes} octets", column)
    cursor.expect_space("the field's value or NIL")
    column = cursor.column
    value = cursor.nstring("the field's value or NIL")
    if value is not None and len(value) > limits.id_value_bytes:
        raise ClientError(f"Expected a field's value of at most {limits.id_value_bytes} octets", column)
    return name, value


def authenticate(cursor: CommandCursor, tag: bytes) -> Authenticate:
    """authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] (RFC 9051 §9, RFC 4959)."""
    cursor.expect_space("a mechanism such as PLAIN")
    mechanism = cursor.expect_atom("a mechanism such as PLAIN").decode("ascii")
    initial = _initial_response(cursor) if cursor.take_space() else None
    cursor.expect_end()
    return Authenticate(tag, mechanism, initial)


def _initial_response(cursor: CommandCursor) -> bytes:
    """initial-resp = base64 / "="."""
    start = cursor.at
    octets = cursor.expect(INITIAL_RESPONSE, _INITIAL)[0]
    try:
        return b"" if octets == b"=" else binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error as error:
        cursor.at = start
        raise cursor.wrong(_INITIAL) from error


def login(cursor: CommandCursor, tag: bytes) -> Login:
    """login = "LOGIN" SP userid SP password; both are astrings (RFC 9051 §9).

    Liberty: "%" and "*" without quotes, because imaplib sends names like linda%example.org so, and people type
    passwords so.
    """
    cursor.expect_space("a user name and a password")
    user = cursor.list_mailbox("a user name")
    cursor.expect_space("a password")
    password = cursor.list_mailbox("a password, in quotes where it has special characters")
    cursor.skip_spaces()
    if not cursor.at_end:
        raise cursor.wrong("the end of the command (put a password with spaces or special characters in quotes)")
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
    cursor.expect_space("capabilities such as IMAP4rev2")
    names = [cursor.expect_atom("a capability such as IMAP4rev2").decode("ascii")]
    while cursor.take_space():
        names.append(cursor.expect_atom("a capability such as IMAP4rev2").decode("ascii"))
    cursor.expect_end()
    return Enable(tag, tuple(names))
