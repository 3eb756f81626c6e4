"""What comes before a session, and what it leaves in the log: PROXY headers, and lines that a client may not forge."""

from __future__ import annotations

import json
from ipaddress import ip_address

from mektup.server.logs import Log
from mektup.server.proxy_header import ProxyError, ProxyHeader, read_header
from reliability.fuzz.target import Target, require, same


def proxy(octets: bytes) -> None:
    """A header is the same however much of it, or after it, has come; until it is whole, more is asked for."""
    whole = _header(octets)
    for cut in range(min(len(octets), 300)):
        part = _header(octets[:cut])
        if isinstance(whole, ProxyHeader) and cut < whole.octets:
            same(part, None, "the beginning of a header")
        elif isinstance(whole, ProxyHeader):
            same(part, whole, "a header with octets after it")
        elif whole is None:
            same(part, None, "the beginning of the beginning of a header")
    if isinstance(whole, ProxyHeader):
        require(0 < whole.octets <= len(octets), "a header is longer than what came")
        if whole.source is not None:
            ip_address(whole.source)


def _header(octets: bytes) -> ProxyHeader | str | None:
    try:
        return read_header(octets)
    except ProxyError as error:
        return str(error)


class _Written:
    """Keeps what a log writes."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str, /) -> object:
        """Keeps it."""
        return self.lines.append(line)

    def isatty(self) -> bool:
        """It is no terminal."""
        return False


def log_lines(octets: bytes) -> None:
    """An event with any text of a client is one line, without control characters."""
    told = octets.decode("utf-8", "backslashreplace")
    for form in ("text", "json"):
        written = _Written()
        Log("info", form, written).logger.info("login", user=told, ip=told[:50], name=octets[:100])
        require(len(written.lines) == 1, "not one line")
        line = written.lines[0].removesuffix("\n")
        require(line.isprintable() or form == "json", f"a line is not printable: {line!r}")
        require(not any(letter < " " or letter in "\x7f\x85\u2028\u2029" for letter in line), "a control character")
        if form == "json":
            same(json.loads(line)["event"], "login", "the event of a line")


_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

TARGETS = (
    Target(
        "proxy",
        "headers of the PROXY protocol, versions 1 and 2",
        proxy,
        lambda: (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 993\r\na1 NOOP\r\n",
            b"PROXY TCP6 2001:db8::7 ::1 40000 0\r\n",
            b"PROXY UNKNOWN\r\n",
            _SIGNATURE + b"\x21\x11\0\x0c" + bytes(range(12)) + b"a1 NOOP\r\n",
            _SIGNATURE + b"\x21\x21\0\x24" + bytes(range(36)),
            _SIGNATURE + b"\x20\0\0\0",
            _SIGNATURE + b"\x21\x31\0\xd8" + bytes(216),
            _SIGNATURE + b"\x21\x11\0\x13" + bytes(12) + b"\x04\0\x04abcd",
        ),
        (
            b"PROXY ",
            b"TCP4 ",
            b"TCP6 ",
            b"UNKNOWN",
            b"::",
            b"1.2.3.4",
            b" 1",
            b"\r\n",
            b"\n",
            _SIGNATURE,
            b"\x21",
            b"\xff",
        ),
        ((b"", b""), (b"PROXY ", b"\r\n"), (b"PROXY TCP6 ", b" ::1 1 1\r\n"), (_SIGNATURE + b"\x21\x11\x3f\xff", b"")),
        longest=300,
        largest=16 * 1024,
    ),
    Target(
        "log",
        "lines of the log",
        log_lines,
        lambda: (b"linda", b"a\nb", b"x\x1b[2J", b"\xe2\x80\xa8", b"user='x' [error", b'"}\n{"event":"x"', b"\xff\0"),
        (
            b"\n",
            b"\r",
            b"\x85",
            b"\xc2\x85",
            b"\xe2\x80\xa9",
            b"\x1b[31m",
            b"'",
            b'"',
            b"\\",
            b"\x7f",
            b"{",
            b"=",
            b"\xf0\x9f\x92\xa9",
        ),
        longest=400,
        largest=16 * 1024,
    ),
)
