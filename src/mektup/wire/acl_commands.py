"""The grammar of SETACL, DELETEACL and LISTRIGHTS; GETACL and MYRIGHTS have only a mailbox (RFC 4314 §7)."""

from __future__ import annotations

from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.rights import ALL, OBSOLETE, RightsChange
from mektup.terms.texts import Text
from mektup.wire import texts
from mektup.wire.arguments import mailbox
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import DeleteAcl, ListRights, SetAcl

_KNOWN: Final = {letter.encode(): frozenset(letter) for letter in ALL} | {
    letter.encode(): members for letter, members in OBSOLETE.items()
}
"""The rights that each letter stands for."""


def set_acl(cursor: CommandCursor, tag: bytes) -> SetAcl:
    """setacl = "SETACL" SP mailbox SP identifier SP mod-rights (RFC 4314 §7)."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    identifier = _identifier(cursor)
    cursor.expect_space(texts.RIGHTS)
    change = _rights_change(cursor)
    cursor.expect_end()
    return SetAcl(tag, name, identifier, change)


def delete_acl(cursor: CommandCursor, tag: bytes) -> DeleteAcl:
    """deleteacl = "DELETEACL" SP mailbox SP identifier (RFC 4314 §7)."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    identifier = _identifier(cursor)
    cursor.expect_end()
    return DeleteAcl(tag, name, identifier)


def list_rights(cursor: CommandCursor, tag: bytes) -> ListRights:
    """listrights = "LISTRIGHTS" SP mailbox SP identifier (RFC 4314 §7)."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    identifier = _identifier(cursor)
    cursor.expect_end()
    return ListRights(tag, name, identifier)


def _identifier(cursor: CommandCursor) -> str:
    """identifier = astring; it is UTF-8 (RFC 4314 §2)."""
    cursor.expect_space(texts.AN_IDENTIFIER)
    column = cursor.column
    octets = cursor.astring(texts.AN_IDENTIFIER)
    try:
        identifier = octets.decode()
    except UnicodeDecodeError:
        raise ClientError(texts.IDENTIFIER_NOT_UTF8, column) from None
    if not identifier.removeprefix("-"):
        raise ClientError(texts.IDENTIFIER_EMPTY, column)
    return identifier


def _rights_change(cursor: CommandCursor) -> RightsChange:
    """mod-rights = astring: letters, perhaps after "+" or "-" (RFC 4314 §3.1)."""
    column = cursor.column
    octets = cursor.astring(texts.RIGHTS)
    how = octets[:1] if octets[:1] in (b"+", b"-") else b""
    rights: frozenset[str] = frozenset()
    for place in range(len(how), len(octets)):
        letter = octets[place : place + 1]
        members = _KNOWN.get(letter)
        if members is None:
            # RFC 4314 §3.1: an unrecognized right is never ignored
            raise ClientError(_no_right(letter), column)
        rights |= members
    return RightsChange(how.decode("ascii"), rights)


def _no_right(letter: bytes) -> Text:
    """What is wrong with an octet that names no right. One that cannot be printed is not repeated."""
    if letter.isupper():
        return texts.UPPER_CASE_RIGHT
    if b" " < letter < b"\x7f":
        return texts.NO_RIGHT.of(right=letter.decode("ascii"))
    return texts.EXPECTED.of(expected=texts.RIGHTS)
