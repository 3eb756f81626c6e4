"""Message IDs in one spelling: "MUST normalize any msg-id ... due to differences in quoting" (RFC 5256 §3)."""

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
    """The msg-ids of a Message-ID, References or In-Reply-To, bare and unquoted; the last *most* of them.

    Reads the obsolete forms, too (RFC 5322 §4.5.4): words of the left side may be quoted, one by one, and white space,
    folds and comments stand anywhere between words. An ID holds no space, by which they are parted where they are
    kept: one that was quoted becomes ``%20``.
    """
    return [identifier.decode("utf-8", "replace") for identifier in list(_found(value))[-most:]]


def first_message_id(value: bytes) -> str:
    """The first of those, which is what a field that should have one alone means; empty where there is none."""
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
    """Reads what the plain form is not. Looks at no octet more than a bounded number of times."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._closes = {b'"', b"("}
        """What opens a quoted string or a comment that may end; one that does not end stands for itself ever after."""

    def read(self, position: int) -> tuple[bytes, int]:
        """The ID behind a ``<``, and where it has ended; nothing, and where it breaks off, for what is none."""
        left, position = self._side(position, _LEFT_ATOM)
        if not left or self._value[position : position + 1] != b"@":
            return b"", position
        right, position = self._side(position + 1, _RIGHT_ATOM)
        if not right or self._value[position : position + 1] != b">":
            return b"", position
        return b"%b@%b" % (left, right), position + 1

    def _side(self, position: int, atom: re.Pattern[bytes]) -> tuple[bytes, int]:
        """The words on one side of the ``@``, unquoted, without what stands between them; and where they end."""
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
