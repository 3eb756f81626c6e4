"""A strict parser of ENVELOPE and BODYSTRUCTURE: exactly the grammar of RFC 9051 §9, rule by rule.

It is slow and accepts nothing else. ``Malformed`` says which rule was broken, and where.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Address = tuple[bytes | None, bytes | None, bytes | None, bytes | None]
Params = list[tuple[bytes, bytes]]

_QUOTED_CHARS = rb"[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]*"
_QUOTED = re.compile(rb'"(%b(?:\\["\\]%b)*)"' % (_QUOTED_CHARS, _QUOTED_CHARS))
_LITERAL = re.compile(rb"\{(0|[1-9][0-9]{0,18})\}\r\n")
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,18}")


class Malformed(AssertionError):
    """The octets do not match the grammar."""


@dataclass(slots=True)
class Envelope:
    """env-date to env-message-id."""

    date: bytes | None
    subject: bytes | None
    addresses: list[list[Address] | None]
    """From, Sender, Reply-To, To, Cc, Bcc."""
    in_reply_to: bytes | None
    message_id: bytes | None


@dataclass(slots=True)
class Body:
    """body-type-1part or body-type-mpart, with its body-ext if it has one."""

    type: bytes
    subtype: bytes
    params: Params
    octets: int | None = None
    lines: int | None = None
    encoding: bytes | None = None
    envelope: Envelope | None = None
    children: list[Body] = field(default_factory=list)
    has_extension: bool = False
    disposition: tuple[bytes, Params] | None = None

    @property
    def is_multipart(self) -> bool:
        """Whether it is body-type-mpart."""
        return self.type == b"multipart"

    def numbered(self, prefix: str = "") -> list[tuple[str, Body]]:
        """Every part that has a number, with that number (RFC 9051 §6.4.5.1)."""
        return self._children_of(prefix) if self.is_multipart else self._single(f"{prefix}1")

    def _children_of(self, prefix: str) -> list[tuple[str, Body]]:
        found: list[tuple[str, Body]] = []
        for number, child in enumerate(self.children, 1):
            path = f"{prefix}{number}"
            if child.is_multipart:
                found += [(path, child), *child._children_of(f"{path}.")]
            else:
                found += child._single(path)
        return found

    def _single(self, path: str) -> list[tuple[str, Body]]:
        found: list[tuple[str, Body]] = [(path, self)]
        for child in self.children:
            found += child.numbered(f"{path}.")
        return found


class Reader:
    """Reads values from the front of *octets*."""

    def __init__(self, octets: bytes, *, rev1: bool = False) -> None:
        self._octets = octets
        self._at = 0
        self._media_messages = {b"rfc822"} if rev1 else {b"rfc822", b"global"}

    def end(self) -> None:
        """Raises Malformed if octets are left."""
        if self._at != len(self._octets):
            raise self._malformed("nothing more")

    def envelope(self) -> Envelope:
        """envelope."""
        self._expect(b"(")
        date, subject = self._nstring(), self._space_nstring()
        addresses: list[list[Address] | None] = []
        for _ in range(6):
            self._expect(b" ")
            addresses.append(self._addresses())
        in_reply_to, message_id = self._space_nstring(), self._space_nstring()
        self._expect(b")")
        return Envelope(date, subject, addresses, in_reply_to, message_id)

    def body(self, *, extensible: bool) -> Body:
        """body; with *extensible* all of body-ext must be present, else none of it."""
        self._expect(b"(")
        found = self._multipart(extensible) if self._next() == b"(" else self._single_part(extensible)
        self._expect(b")")
        return found

    def _multipart(self, extensible: bool) -> Body:
        children: list[Body] = []
        while self._next() == b"(":
            children.append(self.body(extensible=extensible))
        self._expect(b" ")
        found = Body(b"multipart", self._string(), [], children=children)
        if extensible:
            self._expect(b" ")
            found.params = self._params()
            self._extension(found)
        return found

    def _single_part(self, extensible: bool) -> Body:
        kind = self._string()
        self._expect(b" ")
        subtype = self._string()
        self._expect(b" ")
        found = Body(kind, subtype, self._params())
        self._space_nstring()  # body-fld-id
        self._space_nstring()  # body-fld-desc
        self._expect(b" ")
        found.encoding = self._string()
        self._expect(b" ")
        found.octets = self._number()
        if kind.lower() == b"text":
            self._expect(b" ")
            found.lines = self._number()
        elif kind.lower() == b"message" and subtype.lower() in self._media_messages and self._more_of_a_message():
            self._expect(b" ")
            found.envelope = self.envelope()
            self._expect(b" ")
            found.children = [self.body(extensible=extensible)]
            self._expect(b" ")
            found.lines = self._number()
        if extensible:
            self._space_nstring()  # body-fld-md5
            self._extension(found)
        return found

    def _more_of_a_message(self) -> bool:
        if self._octets[self._at : self._at + 2] != b" (":
            raise self._malformed("the envelope of a message")
        return True

    def _extension(self, part: Body) -> None:
        part.has_extension = True
        self._expect(b" ")
        if self._next() == b"(":
            self._expect(b"(")
            kind = self._string()
            self._expect(b" ")
            part.disposition = kind, self._params()
            self._expect(b")")
        else:
            self._expect(b"NIL")
        self._expect(b" ")
        if self._next() == b"(":
            self._list_of_strings()
        else:
            self._nstring()
        self._space_nstring()

    def _list_of_strings(self) -> list[bytes]:
        self._expect(b"(")
        found = [self._string()]
        while self._next() == b" ":
            self._expect(b" ")
            found.append(self._string())
        self._expect(b")")
        return found

    def _params(self) -> Params:
        if self._next() != b"(":
            self._expect(b"NIL")
            return []
        values = self._list_of_strings()
        if len(values) % 2:
            raise self._malformed("a value for each parameter")
        return list(zip(values[::2], values[1::2], strict=True))

    def _addresses(self) -> list[Address] | None:
        if self._next() != b"(":
            self._expect(b"NIL")
            return None
        self._expect(b"(")
        found: list[Address] = []
        while self._next() == b"(":
            self._expect(b"(")
            found.append((self._nstring(), self._space_nstring(), self._space_nstring(), self._space_nstring()))
            self._expect(b")")
        self._expect(b")")
        if not found:
            raise self._malformed("1*address")
        return found

    def _space_nstring(self) -> bytes | None:
        self._expect(b" ")
        return self._nstring()

    def _nstring(self) -> bytes | None:
        if self._next() in (b'"', b"{"):
            return self._string()
        self._expect(b"NIL")
        return None

    def _string(self) -> bytes:
        if quoted := _QUOTED.match(self._octets, self._at):
            self._at = quoted.end()
            return re.sub(rb"\\(.)", rb"\1", quoted[1])
        size = _LITERAL.match(self._octets, self._at)
        if size is None:
            raise self._malformed("a string")
        self._at = size.end() + int(size[1])
        found = self._octets[size.end() : self._at]
        if len(found) != int(size[1]) or b"\0" in found:
            raise self._malformed("octets of a literal")
        return found

    def _number(self) -> int:
        number = _NUMBER.match(self._octets, self._at)
        if number is None:
            raise self._malformed("a number")
        self._at = number.end()
        return int(number[0])

    def _next(self) -> bytes:
        return self._octets[self._at : self._at + 1]

    def _expect(self, octets: bytes) -> None:
        if not self._octets.startswith(octets, self._at):
            raise self._malformed(repr(octets))
        self._at += len(octets)

    def _malformed(self, expected: str) -> Malformed:
        return Malformed(f"{expected} expected at {self._at}: {self._octets[self._at : self._at + 60]!r}")
