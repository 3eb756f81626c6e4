"""Message IDs in a normal form: "MUST normalize any msg-id ... due to differences in quoting" (RFC 5256 §3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mektup.message.comments import skip_comment

_PLAIN = re.compile(rb"<([^<>@\"\s()]+@[^<>\"\s()]+)>")
_SPACE = re.compile(rb"\s+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_LEFT_ATOM = re.compile(rb'[^<>@"\s(]+')
_RIGHT_ATOM = re.compile(rb"[^<>\s(]+")


def message_ids(value: bytes, most: int) -> list[str]:
    """The last *most* msg-ids of a Message-ID, References or In-Reply-To, unquoted and without brackets.

    Also reads the obsolete forms (RFC 5322 §4.5.4): each word of the left side may be quoted, and white space, folds
    and comments may be between words. IDs are stored with spaces between them, so a quoted space becomes ``%20``.
    """
    return [identifier.decode("utf-8", "replace") for identifier in list(_found(value))[-most:]]


def first_message_id(value: bytes) -> str:
    """The first msg-id, for fields that should have only one; empty if there is none."""
    return next(_found(value), b"").decode("utf-8", "replace")


def _found(value: bytes) -> Iterator[bytes]:
    reader: _Reader | None = None
    position = value.find(b"<")
    while position >= 0:
        if match := _PLAIN.match(value, position):
            yield match[1]
            position = match.end()
        else:
            reader = reader or _Reader(value)
            identifier, position = reader.read(position + 1)
            if identifier:
                yield identifier
        position = value.find(b"<", position)


class _Reader:
    """Reads all but the plain form. Looks at each octet a bounded number of times."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._closes = {b'"', b"("}
        """The openings that may have an end. An opening without an end is removed; from then on it is ordinary text."""

    def read(self, position: int) -> tuple[bytes, int]:
        """The ID after a ``<``, and the position after it. If there is no ID: empty, and the position of the error."""
        left, position = self._side(position, _LEFT_ATOM)
        if not left or self._value[position : position + 1] != b"@":
            return b"", position
        right, position = self._side(position + 1, _RIGHT_ATOM)
        if not right or self._value[position : position + 1] != b">":
            return b"", position
        return b"%b@%b" % (left, right), position + 1

    def _side(self, position: int, atom: re.Pattern[bytes]) -> tuple[bytes, int]:
        """The words on one side of the ``@``, unquoted and joined; and the position after them."""
        words: list[bytes] = []
        while position < len(self._value):
            if match := atom.match(self._value, position):
                words.append(match[0])
                position = match.end()
            elif match := _SPACE.match(self._value, position):
                position = match.end()
            elif self._value[position] in b"<>@":
                break
            else:
                word, position = self._quoted_or_comment(position)
                words.append(word)
        return b"".join(words), position

    def _quoted_or_comment(self, position: int) -> tuple[bytes, int]:
        opening = self._value[position : position + 1]
        if opening in self._closes:
            if opening == b"(":
                end = skip_comment(self._value, position)
                if end is not None:
                    return b"", end
            elif match := _QUOTED.match(self._value, position):
                return _SPACE.sub(b"%20", _QUOTED_PAIR.sub(rb"\1", match[1])), match.end()
            self._closes.remove(opening)
        return opening, position + 1
