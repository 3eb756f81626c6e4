"""Decodes Content-Transfer-Encoding piece by piece, for parts that are too large for memory (see ``transfer``)."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Protocol

from mektup.message.transfer import IDENTITIES, Octets, decode_part, with_crlf

_NOT_BASE64 = bytes(set(range(256)) - set(f"{ascii_letters}{digits}+/=".encode()))

DECODED_AT_ONCE = 256 * 1024

LONG_LINE = 64 * 1024
"""A longer line of quoted-printable is cut; real mail has none."""


class Decoder(Protocol):
    """Takes a part's octets in any pieces; returns the decoded octets."""

    def take(self, octets: bytes) -> bytes:
        """Takes the next octets; returns all that can be decoded now."""

    def finish(self) -> bytes:
        """The decoded rest."""


def decoder(encoding: str) -> Decoder:
    """A decoder for *encoding*, in the form of ``decode_part``. Raises Refused(UNKNOWN_CTE)."""
    if encoding in IDENTITIES:
        return _AsItIs()
    if encoding == "base64":
        return _Base64()
    decode_part(b"", encoding)
    return _Lines(encoding)


class MessageDecoder:
    """Does the same as ``decode_message``, piece by piece."""

    __slots__ = ("_after_cr", "_decoder")

    def __init__(self, encoding: str) -> None:
        """Raises Refused(UNKNOWN_CTE)."""
        self._decoder = decoder(encoding)
        self._after_cr = False

    def take(self, octets: bytes) -> bytes:
        """See ``Decoder``."""
        return self._with_crlf(self._decoder.take(octets))

    def finish(self) -> bytes:
        """See ``Decoder``."""
        return self._with_crlf(self._decoder.finish())

    def _with_crlf(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        given = with_crlf(b"\r" + octets)[1:] if self._after_cr else with_crlf(octets)
        self._after_cr = octets.endswith(b"\r")
        return given


def decoded_message(raw: Octets, start: int, stop: int, encoding: str) -> bytes:
    """``decode_message`` of *raw* from *start* to *stop*, in pieces, because decoding holds Python's lock."""
    through = MessageDecoder(encoding)
    decoded = bytearray()
    for at in range(start, stop, DECODED_AT_ONCE):
        decoded += through.take(raw[at : min(at + DECODED_AT_ONCE, stop)])
    decoded += through.finish()
    return bytes(decoded)


class _AsItIs:
    __slots__ = ()

    def take(self, octets: bytes) -> bytes:
        return octets

    def finish(self) -> bytes:
        return b""


class _Base64:
    """Cuts after each group of four characters, and after padding, which ends a separately encoded piece."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def take(self, octets: bytes) -> bytes:
        letters = self._held + octets.translate(None, _NOT_BASE64)
        open_run = len(letters) - (letters.rfind(b"=") + 1)
        certain = len(letters) - open_run % 4
        self._held = letters[certain:]
        return decode_part(letters[:certain], "base64")

    def finish(self) -> bytes:
        return decode_part(self._held, "base64")


class _Lines:
    """For encodings that are decoded line by line: cuts after a line."""

    __slots__ = ("_encoding", "_held")

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._held = b""

    def take(self, octets: bytes) -> bytes:
        held = self._held + octets
        certain = held.rfind(b"\n") + 1
        if len(held) - certain > LONG_LINE:
            certain = _cut(held)
        self._held = held[certain:]
        return decode_part(held[:certain], self._encoding)

    def finish(self) -> bytes:
        return decode_part(self._held, self._encoding)


def _cut(line: bytes) -> int:
    """A position near the end of *line* that splits neither an escape nor white space."""
    stop = len(line)
    for at in range(stop - 1, max(stop - LONG_LINE // 2, 3), -1):
        if line[at : at + 1] not in b"= \t\r" and b"=" not in line[at - 2 : at]:
            return at + 1
    return stop
