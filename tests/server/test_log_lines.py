"""One event is one line, in every format, whatever octets a client sends as a name, a tag, an ID or a Message-ID."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.pop3.session import Pop3Session
from mektup.server.logs import MARGIN, Log
from mektup.session.services import Services
from tests.support.memory import Clock, MemoryPeer
from tests.support.services import given_services

FORGED = [
    "2026-11-30T00:00:00.000000Z [warning  ] auth_failed              address='9.9.9.9'",
    '{"event": "login", "user": "root"}',
    "\x1b[2J\x1b]0;title\x07",
    "\r\n",
    "\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e",
    "\u202e\u2066",
    "'\"\\",
    "\ud800",
]
TEXTS = st.lists(st.sampled_from(FORGED) | st.text(max_size=20), max_size=5).map("".join)
OCTETS = TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)

# key=repr(value), as the text form writes it
_VALUE = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|b'(?:[^'\\]|\\.)*'|b"(?:[^"\\]|\\.)*"|[A-Za-z0-9.+-]+)"""
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[(?:debug|info|warning|error) *\] [a-z_0-9]+ *"
    rf"(?: ?[a-z_]+={_VALUE})*"
)


def events(form: str, written: str) -> int:
    """The number of events in a log; fails if a line is not one of the log's own."""
    count = 0
    assert not written or written.endswith("\n")
    for line in written.split("\n")[:-1]:
        assert line.isprintable(), ascii(line)
        if form == "json":
            entry = json.loads(line)
            assert {"event", "level", "timestamp"} <= entry.keys()
        elif line.startswith(MARGIN):
            continue
        else:
            assert LINE.fullmatch(line), ascii(line)
        count += 1
    return count


@pytest.mark.parametrize("form", ["text", "json"])
@given(st.dictionaries(st.sampled_from(["user", "client", "reason", "file"]), TEXTS | OCTETS), st.booleans())
def test_any_values_are_one_line(form: str, values: dict[str, str | bytes], raises: bool) -> None:
    out = io.StringIO()
    log = Log("debug", form, out).logger
    try:
        raise ValueError(values)
    except ValueError as error:
        log.warning("auth_failed", exc_info=error if raises else None, **values)
    log.info("login")
    assert events(form, out.getvalue()) == 2


def literal(octets: bytes) -> bytes:
    return b"{%d+}\r\n%b" % (len(octets), octets)


Lines = Callable[[Sequence[bytes]], list[bytes]]

IMAP: list[Lines] = [
    lambda each: [b"a LOGIN " + literal(each[0]) + b" " + literal(each[1])],
    lambda each: [b"a ID (" + literal(each[0]) + b" " + literal(each[1]) + b")"],
    lambda each: [each[0] + b" NOOP", b"a " + each[1], each[2]],
    lambda each: [b"a LOGIN linda Pa$$123", b"a CREATE " + literal(each[0]), each[1] + b" SELECT " + literal(each[0])],
    lambda each: [b"a LOGIN linda Pa$$123", b"a APPEND INBOX " + literal(b"Message-ID: " + each[0] + b"\r\n\r\n")],
]
POP3: list[Lines] = [
    lambda each: [b"USER " + each[0], b"PASS " + each[1]],
    lambda each: [b"AUTH " + each[0], each[1], each[2]],
]
LMTP: list[Lines] = [
    lambda each: [
        *(b"LHLO " + each[0], b"MAIL FROM:<" + each[1] + b">", b"RCPT TO:<linda+" + each[2] + b">"),
        *(b"MAIL FROM:<>", b"RCPT TO:<linda>", b"DATA", b"Message-ID: " + each[0], b"", b".", b"QUIT"),
    ],
]
SESSIONS = [(ImapSession, IMAP), (Pop3Session, POP3), (LmtpSession, LMTP)]


@pytest.mark.parametrize("form", ["text", "json"])
@given(which=st.sampled_from([(kind, lines) for kind, all_lines in SESSIONS for lines in all_lines]), said=st.data())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_a_client_says_each_event_is_one_line(
    form: str, which: tuple[Callable[[MemoryPeer, Services], object], Lines], said: st.DataObject
) -> None:
    kind, lines = which
    octets = b"\r\n".join([*lines(said.draw(st.tuples(OCTETS, OCTETS, OCTETS))), b""])
    out = io.StringIO()
    async with given_services() as given:
        log = Log("debug", form, out).logger.bind(session="s1", address="192.0.2.7", protocol="imap")
        services = replace(given.services, log=log)
        peer = MemoryPeer(Clock(), secure=True, by_octet=False)
        peer.send(octets)
        peer.end()
        await kind(peer, services).run()  # type: ignore[attr-defined]
    events(form, out.getvalue())
