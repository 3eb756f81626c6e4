"""Failed logins are logged with the given name, and never with a password."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from structlog.processors import format_exc_info

from mektup.auth.texts import TOO_MANY_LOGINS
from mektup.imap.session import ImapSession
from mektup.pop3.commands import Pop3State
from mektup.pop3.commands import parse as parse_pop3
from mektup.session.life import LOGGED_NAME_BYTES
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.peer import Peer
from mektup.wire import commands
from mektup.wire.receiver import RawCommand
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


def plain(*parts: bytes) -> bytes:
    return b64encode(b"\0".join(parts))


@pytest.mark.parametrize(
    ("lines", "user", "mechanism", "reason"),
    [
        ([b"a LOGIN linda wrong"], "linda", "LOGIN", "AUTHENTICATIONFAILED"),
        ([b'a LOGIN "nobody at all" wrong'], "nobody at all", "LOGIN", "AUTHENTICATIONFAILED"),
        ([b"a AUTHENTICATE PLAIN " + plain(b"", b"linda", b"wrong")], "linda", "PLAIN", "AUTHENTICATIONFAILED"),
        ([b"a AUTHENTICATE PLAIN", plain(b"", b"l\xefnda", b"wrong")], "l\\xefnda", "PLAIN", "AUTHENTICATIONFAILED"),
        (
            [b"a AUTHENTICATE PLAIN " + plain(b"ada", b"linda", b"Pa$$123")],
            "linda",
            "PLAIN",
            "AUTHORIZATIONFAILED",
        ),
        (
            [b"a AUTHENTICATE LOGIN", b64encode(b"linda"), b64encode(b"wrong")],
            "linda",
            "LOGIN",
            "AUTHENTICATIONFAILED",
        ),
        (
            [b"a AUTHENTICATE SCRAM-SHA-256 " + b64encode(b"p=tls-unique,,n=linda,r=abc")],
            "linda",
            "SCRAM-SHA-256",
            "AUTHENTICATIONFAILED",
        ),
        (
            [b"a AUTHENTICATE PLAIN " + plain(b"", b"x" * 5000, b"wrong")],
            "x" * LOGGED_NAME_BYTES,
            "PLAIN",
            "AUTHENTICATIONFAILED",
        ),
    ],
)
async def test_the_name_is_logged(given: Given, lines: list[bytes], user: str, mechanism: str, reason: str) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        for line in lines:
            answer = await client.ask(line)
        assert answer.startswith(b"a NO [" + reason.encode())
    (entry,) = [entry for entry in given.capture.entries if entry["event"] == "auth_failed"]
    assert (entry["user"], entry["mech"], entry["reason"]) == (user, mechanism, reason)
    assert entry["ip"] == "127.0.0.1"


async def test_unavailable_logins_end_the_session(given: Given) -> None:
    async def busy(name: bytes, password: bytes, peer: Peer) -> None:
        raise Refused(Code.UNAVAILABLE, TOO_MANY_LOGINS)

    given.services.authenticator.login = busy  # type: ignore[method-assign, assignment]
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        for _ in range(given.services.limits.login_failures):
            client.send(b"a LOGIN linda wrong\r\n")
        answer = await client.rest()
        assert answer.count(b"a NO [UNAVAILABLE]") == given.services.limits.login_failures
        assert b"* BYE " in answer


SECRET = b"open sesame"
BASE64 = b64encode(SECRET)


@pytest.mark.parametrize(
    "line",
    [
        b'a LOGIN linda "open sesame"',
        b'a login "linda" "open sesame"',
        b"a AUTHENTICATE PLAIN " + plain(b"", b"linda", SECRET),
    ],
)
def test_no_request_shows_a_password(line: bytes) -> None:
    raw = RawCommand((line,))
    request = commands.parse(raw, utf8=False, limits=Limits())
    for shown in (repr(raw), repr(request), str(request)):
        assert "sesame" not in shown
        assert plain(b"", b"linda", SECRET).decode() not in shown


def test_no_command_of_pop3_shows_a_password() -> None:
    for line in (b"PASS open sesame", b"AUTH PLAIN " + plain(b"", b"linda", SECRET)):
        shown = repr(parse_pop3(line, Pop3State.AUTHORIZATION))
        assert "sesame" not in shown
        assert plain(b"", b"linda", SECRET).decode() not in shown


@pytest.mark.parametrize("line", [b'a LOGIN linda "open sesame"', b"a AUTHENTICATE PLAIN " + plain(b"", b"x", SECRET)])
async def test_a_bug_in_a_login_shows_no_password(given: Given, line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(given.services.store.directory, "find", broken)
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        assert (await client.ask(line)).startswith(b"a NO [SERVERBUG]")
    logged = [dict(format_exc_info(None, "error", dict(entry))) for entry in given.capture.entries]  # type: ignore[arg-type]
    assert any("KeyError" in str(entry.get("exception")) for entry in logged)
    assert "sesame" not in str(logged)
    assert BASE64.decode() not in str(logged)
