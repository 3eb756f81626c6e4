"""Generates mails that are expensive to parse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mektup.terms.limits import DEFAULT_LIMITS

TEXT_BYTES = DEFAULT_LIMITS.text_bytes * 3 // 2

HEADER = b"From: a@x.example\r\nMIME-Version: 1.0\r\n"


def many_parts(count: int) -> bytes:
    """A multipart of *count* parts, of 25 octets each."""
    part = b"\r\n--b\r\nContent-ID:a\r\n\r\n"
    return HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * count + b"\r\n--b--\r\n"


def nested(depth: int) -> bytes:
    """A multipart in a multipart, and so on."""
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth)
    )
    return HEADER + parts + b"\r\nx\r\n"


COSTLY: Mapping[str, Callable[[], bytes]] = {
    "parts": lambda: many_parts(10_000),
    "nested": lambda: nested(4_000),
    "messages": lambda: HEADER + b"Content-Type: message/rfc822\r\n\r\n" * 7_000,
    "addresses": lambda: HEADER + b"To: " + b"a@b,\r\n " * 36_000 + b"a@b\r\n\r\nx\r\n",
    "names": lambda: HEADER + b"To: " + b'"=?utf-8?q?=c3=a9?=" <a@b>,\r\n ' * 8_000 + b"a@b\r\n\r\nx\r\n",
    "groups": lambda: HEADER + b"To: " + b"g:a@b;,\r\n " * 25_000 + b"a@b\r\n\r\nx\r\n",
    "comments": lambda: HEADER + b"To: " + b"(" * 250_000 + b"\r\n\r\nx\r\n",
    "fields": lambda: HEADER + b"A:\r\n" * 64_000 + b"\r\nx\r\n",
    "different-fields": lambda: HEADER + b"".join(b"X%d:\r\n" % at for at in range(28_000)) + b"\r\nx\r\n",
    "folds": lambda: HEADER + b"Subject: a" + b"\r\n a" * 64_000 + b"\r\n\r\nx\r\n",
    "words": lambda: HEADER + b"Subject: " + b"=?utf-8?q?=c3=a9?= " * 13_000 + b"\r\n\r\nx\r\n",
    "params": lambda: HEADER + b"Content-Type: text/plain" + b";\r\n a*0*=b" * 23_000 + b"\r\n\r\nx\r\n",
    "references": lambda: HEADER + b"References: " + b"<a@b> " * 42_000 + b"\r\n\r\nx\r\n",
    "re": lambda: HEADER + b"Subject: " + b"Re: " * 64_000 + b"\r\n\r\nx\r\n",
    "blobs": lambda: HEADER + b"Subject: " + b"[a] " * 64_000 + b"\r\n\r\nx\r\n",
    "html": lambda: HEADER + b"Content-Type: text/html\r\n\r\n" + b"<a><b>" * 43_000,
    "open-tags": lambda: HEADER + b"Content-Type: text/html\r\n\r\n" + b"<" * 255_000,
    "entities": lambda: HEADER + b"Content-Type: text/html\r\n\r\n" + b"&amp;&" * 43_000,
    "qp": lambda: (
        HEADER + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 85_000
    ),
    "boundaries": lambda: (
        HEADER
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        + b"\r\n--c" * 50_000
        + b"\r\n--b--\r\n"
    ),
    "date": lambda: HEADER + b"Date: " + b"(a)" * 80_000 + b"\r\n\r\nx\r\n",
}
"""Messages of at most 255 KiB, so that they are prepared in the event loop."""


def large(kind: bytes, line: bytes, size: int) -> bytes:
    """A message of *size* octets with the Content-Type *kind*, whose body repeats one line."""
    return HEADER + b"Content-Type: " + kind + b"\r\n\r\n" + line * (size // len(line))


LONG_TEXTS: Mapping[str, tuple[bytes, bytes]] = {
    "equals": (b"text/html", b"="),
    "less": (b"text/html", b"<"),
    "alternatives": (b"text/html", b" alt=a"),
    "values": (b"text/html", b'="x" '),
    "blanks": (b"text/html", b" ="),
    "references": (b"text/html", b"&"),
    "numbers": (b"text/html", b"&#1;"),
    "pads": (b"text/plain\r\nContent-Transfer-Encoding: base64", b"QQ=="),
    "ends": (b"text/plain\r\nContent-Transfer-Encoding: quoted-printable", b" \r\n"),
    "halves": (b"text/plain; charset=utf-16", b"\xd8"),
    "not-32": (b"text/plain; charset=utf-32", b"\xff"),
    "not-7": (b"text/plain; charset=utf-7", b"+\xff"),
    "ligatures": (b"text/plain; charset=utf-8", "\ufdfa".encode()),
}
"""Texts that are expensive to decode: a Content-Type, and the octets that are repeated."""


def long_text(kind: str) -> bytes:
    """A text of *kind*, of the longest size that is searched; HTML is one tag that does not end."""
    content_type, octets = LONG_TEXTS[kind]
    begins = b"<a " if content_type == b"text/html" else b""
    return large(content_type, octets, TEXT_BYTES).replace(b"\r\n\r\n", b"\r\n\r\n" + begins, 1)
