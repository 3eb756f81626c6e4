"""Mail that is made to take long, or to break the parser.

Each message has a few hundred kilobytes. It would take minutes, or a deep stack, if a step looked at its octets more
than a bounded number of times.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mektup.message.text import search_text
from mektup.store.arrival import prepare

N = 50_000
SECONDS = 6.0
"""CPU time for one message; most need a twentieth of it on an old machine."""


def field(name: bytes, value: bytes) -> bytes:
    return name + b": " + value + b"\r\n\r\n"


def typed(value: bytes, body: bytes = b"") -> bytes:
    return field(b"Content-Type", value) + body


MULTIPART = typed(b"multipart/mixed; boundary=b")

HOSTILE: dict[str, Callable[[int], bytes]] = {
    "many parts": lambda n: MULTIPART + b"--b\r\n\r\nx\r\n" * n,
    "many parts without an empty line": lambda n: MULTIPART + b"--b\r\nA: b\r\n" * n,
    "many lines with dashes": lambda n: MULTIPART + b"--x\r\n" * n,
    "many headers cut by one boundary": lambda n: MULTIPART + b"--b\r\nContent-Type: message/rfc822\r\n" * n,
    "multiparts in multiparts": lambda n: b"".join(
        b"Content-Type: multipart/mixed; boundary=%dx\r\n\r\n--%dx\r\n" % (i, i) for i in range(n // 5)
    ),
    "boundaries that extend each other": lambda n: (
        b"".join(
            b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n" % (b"b" * i, b"b" * i) for i in range(1, 80)
        )
        + b"--bbbbbbbb\r\n" * n
    ),
    "messages in messages": lambda n: b"Content-Type: message/rfc822\r\n\r\n" * n,
    "a digest of nothing": lambda n: typed(b"multipart/digest; boundary=b") + b"--b\r\n\r\n" * n,
    "a long line": lambda n: field(b"Subject", b"x" * 10 * n),
    "a header of one word": lambda n: b"x" * 10 * n,
    "a header that does not end": lambda n: b"A b\r\n" * n,
    "many folds": lambda n: b"Subject: x\r\n" + b" y\r\n" * n + b"\r\n",
    "many fields": lambda n: b"To: a@b\r\n" * n + b"\r\n",
    "many addresses": lambda n: field(b"To", b"a@b," * n),
    "many quoted addresses": lambda n: field(b"To", b'"a"@b,' * n),
    "many groups": lambda n: field(b"To", b"a:;," * n),
    "commas": lambda n: field(b"To", b"," * 5 * n),
    "deep comments": lambda n: field(b"To", b"(" * 5 * n),
    "many comments": lambda n: field(b"To", b"()" * 2 * n),
    "comments in comments": lambda n: field(b"To", b"a" + b"(())" * n + b"@b"),
    "angles": lambda n: field(b"To", b"<" * 4 * n),
    "quotes": lambda n: field(b"To", b'"' * 4 * n),
    "a quote that does not end": lambda n: field(b"To", b'"' + b"a\\" * n),
    "dots": lambda n: field(b"To", b"a . " * n),
    "words": lambda n: field(b"To", b"a " * n),
    "a route": lambda n: field(b"To", b"<" + b"@a," * n + b":b@c>"),
    "angles that do not end": lambda n: field(b"To", b'<a"' * n),
    "addresses that break off": lambda n: field(b"To", b"a@[," * n),
    "quotes and semicolons": lambda n: field(b"To", b'"' + b'\\";' * n),
    "comments that do not end": lambda n: field(b"To", b"a (, " * n),
    "colons": lambda n: field(b"To", b"a@:" * n),
    "names that are no phrase": lambda n: field(b"To", b"@<a@b>" * n),
    "odd addresses to search": lambda n: field(b"From", b"a@b (x)," * n),
    "brackets": lambda n: field(b"To", b"a@[" + b"[1" * n),
    "encoded words": lambda n: field(b"Subject", b"=?utf-8?b?=C3?= " * n),
    "encoded words that do not end": lambda n: field(b"Subject", b"=?a?q?" * n),
    "blobs in a subject": lambda n: field(b"Subject", b"[a]" * n),
    "brackets in a subject": lambda n: field(b"Subject", b"[" * 3 * n),
    "replies": lambda n: field(b"Subject", b"re: " * n),
    "forwards": lambda n: field(b"Subject", b"[fwd: " * n + b"x" + b"]" * n),
    "forwarded": lambda n: field(b"Subject", b"x" + b"(fwd) " * n),
    "references": lambda n: field(b"References", b"<a@b>" * n),
    "references that do not end": lambda n: field(b"References", b'<"' * n),
    "references in quotes that do not end": lambda n: field(b"References", b'<"' + b'\\"<' * n),
    "comments in references": lambda n: field(b"References", b"<(" * n + b")"),
    "words in a reference": lambda n: field(b"References", b"<" + b'"a".' * n + b"@x>"),
    "parameters": lambda n: typed(b"a/b" + b"".join(b";a*%d=b" % i for i in range(n))),
    "parameters without values": lambda n: typed(b"a/b" + b";a" * n),
    "parameters that do not end": lambda n: typed(b"a/b" + b';a="' * n),
    "stars": lambda n: typed(b"a/b;a" + b"*" * n + b"=b"),
    "an open comment in a type": lambda n: typed(b"a/b" + b"(" * n),
    "languages": lambda n: b"MIME-Version: 1.0\r\nContent-Language: " + b"a," * n + b"\r\n\r\n",
    "dates": lambda n: field(b"Date", b"1 " * n),
    "comments in a date": lambda n: field(b"Date", b"(" * n + b")" * n + b"1 Jan 2020"),
    "space in a date": lambda n: field(b"Date", b" a" + b" " * n + b":"),
    "comments in a location": lambda n: b"MIME-Version: 1.0\r\n" + field(b"Content-Location", b"a (" * n + b")"),
    "quotes in an ID": lambda n: b"MIME-Version: 1.0\r\n" + field(b"Content-ID", b"<" + b'\\" ' * n + b">"),
    "tabs in a subject": lambda n: field(b"Subject", b"\t a" * n),
    "angles in HTML": lambda n: typed(b"text/html", b"<" * 5 * n),
    "open tags in HTML": lambda n: typed(b"text/html", b"<a " * 3 * n),
    "styles in HTML": lambda n: typed(b"text/html", b"<style>" * n),
    "comments in HTML": lambda n: typed(b"text/html", b"<!--" * n),
    "ampersands in HTML": lambda n: typed(b"text/html", b"&a" * 3 * n),
    "attributes in HTML": lambda n: typed(b"text/html", b"<p " + b"=\"a\" ='b' " * n),
    "attributes that do not end in HTML": lambda n: typed(b"text/html", b" alt='<a x=\"" * n),
    "space in attributes in HTML": lambda n: typed(b"text/html", b"<a alt =" + b" " * 5 * n),
    "links in HTML": lambda n: typed(b"text/html", b"".join(b"<a href=%d>" % i for i in range(n))),
    "blanks in quoted-printable": lambda n: (
        b"MIME-Version: 1.0\r\n" + field(b"Content-Transfer-Encoding", b"quoted-printable") + b"= \t" * n
    ),
    "messages encoded in messages": lambda n: (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" * (n // 10)
    ),
    "encoded messages": lambda n: (
        MULTIPART + b"--b\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"U3ViamVjdDogxZ9laGlyDQoNCnR3bw==\r\n" * (n // 20)
    ),
    "octets that are no UTF-8": lambda n: b"\r\n" + b"\xe9 " * 5 * n,
    "a number in HTML": lambda n: typed(b"text/html", b"&#" + b"1" * 5 * n + b";"),
    "broken base64": lambda n: b"MIME-Version: 1.0\r\n" + field(b"Content-Transfer-Encoding", b"base64") + b"=Q=" * n,
    "combining marks": lambda n: typed(b"text/plain; charset=utf-8", b"a" + "\u0301\u0323".encode() * n),
    "escapes of ISO 2022": lambda n: typed(b"text/plain; charset=iso-2022-jp", b"\x1b$B" * n),
    "NULs": lambda n: b"\0" * 5 * n,
    "bare CRs": lambda n: b"\r" * 5 * n,
    "bare LFs": lambda n: b"\n" * 5 * n,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mail_is_parsed_quickly(make: Callable[[int], bytes]) -> None:
    raw = make(N)
    start = time.process_time()
    arrival = prepare(raw)
    headers, body = search_text(raw)
    assert time.process_time() - start < SECONDS
    assert arrival.size == len(raw)
    assert len(headers) + len(body) <= 4 * len(raw) + 10_000


def test_addresses_are_shown_up_to_the_limit() -> None:
    arrival = prepare(HOSTILE["many addresses"](20_000))
    assert arrival.envelope.count(b'"a" "b"') == 10_000
