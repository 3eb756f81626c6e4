"""No secret is ever shown, in whatever form and in whatever pieces it is sent."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.session.services import Services
from tests.support.services import given_services

from .following import followed

SECRET = b"Pa$$123"
"""The password of linda."""

PLAIN = b64encode(b"\0linda\0" + SECRET)
LINDA, ENCODED = b64encode(b"linda"), b64encode(SECRET)

IMAP_LOGINS = (
    b"a LOGIN linda Pa$$123\r\n",
    b"a login linda Pa$$123\r\n",
    b"a  LoGiN   linda   Pa$$123\r\n",
    b'a LOGIN "linda" "Pa$$123"\r\n',
    b'a LOGIN linda "Pa$$123\r\n',
    b"a LOGIN lin(da Pa$$123\r\n",
    b"a LOGIN linda Pa$$123 Pa$$123\r\n",
    b"a LOGIN Pa$$123\r\n",
    b"LOGIN linda Pa$$123\r\n",
    b"a UID LOGIN linda Pa$$123\r\n",
    b"a LOGIN\tlinda Pa$$123\r\n",
    b"a LOGINlinda Pa$$123\r\n",
    b"a LOGON linda Pa$$123\r\n",
    b"a LOGIN linda {7}\r\nPa$$123\r\n",
    b"a LOGIN linda {7+}\r\nPa$$123\r\n",
    b"a LOGIN {5}\r\nlinda {7}\r\nPa$$123\r\n",
    b"a LOGIN {5+}\r\nlinda {7+}\r\nPa$$123\r\n",
    b"a LOGIN {4+}\r\nlinda {7+}\r\nPa$$123\r\n",
    b"a LOGIN {6+}\r\nlinda Pa$$123\r\n",
    b"a LOGIN linda {9999999}\r\nPa$$123 NOOP\r\n",
    b"a LOGIN linda {99999999999999999999999}\r\nPa$$123\r\n",
    b"a LOGIN linda ~{7+}\r\nPa$$123\r\n",
    b"a LOGIN li\0nda Pa$$123\r\n",
    b"a LOGIN linda Pa$$123 " + b"x" * 20_000 + b"\r\n",
    b"a LOGIN linda Pa$$123\n",
    b"a LOGIN linda Pa$$123",
    b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n",
    b"a AUTHENTICATE PLAIN\r\n" + PLAIN + b"\r\n",
    b"a authenticate  plain   " + PLAIN + b"\r\n",
    b"a AUTHENTICATE " + PLAIN + b"\r\n",
    b"a AUTHENTICATE NONE\r\n" + PLAIN + b"\r\n",
    b"a AUTHENTICATE NONE\r\nPa$$123 x\r\n",
    b"a AUTHENTICATE PLAIN " + PLAIN + b" Pa$$123\r\n",
    b"a AUTHENTICATE PLAIN\r\nlinda Pa$$123\r\n",
    b"a AUTHENTICATE LOGIN\r\n" + LINDA + b"\r\n" + ENCODED + b"\r\n",
    b"a AUTHENTICATE LOGIN " + LINDA + b"\r\n" + ENCODED + b"\r\n",
    b"a AUTHENTICATE LOGIN\r\n*\r\n" + ENCODED + b"\r\n",
    b"a AUTHENTICATE PLAIN {7+}\r\nPa$$123\r\n",
    b"a IDLE\r\nb LOGIN linda Pa$$123\r\n",
    b"Pa$$123 x\r\n",
    b"Pa$$123\r\n",
)

POP3_LOGINS = (
    b"USER linda\r\nPASS Pa$$123\r\n",
    b"uSeR linda\r\npass Pa$$123\r\n",
    b"PASS Pa$$123\r\n",
    b"PASSPa$$123\r\n",
    b"PASS\tPa$$123\r\n",
    b"PA$$ Pa$$123\r\n",
    b"USER linda Pa$$123\r\n",
    b"USER linda\r\nPa$$123\r\n",
    b"STAT Pa$$123\r\n",
    b"APOP linda Pa$$123\r\n",
    b"AUTH PLAIN " + PLAIN + b"\r\n",
    b"AUTH PLAIN\r\n" + PLAIN + b"\r\n",
    b"AUTH " + PLAIN + b"\r\n",
    b"AUTH NONE\r\n" + PLAIN + b"\r\n",
    b"AUTH LOGIN\r\n" + LINDA + b"\r\n" + ENCODED + b"\r\n",
    b"AUTH PLAIN Pa$$123 Pa$$123\r\n",
    b"USER linda\r\nPASS " + b"x" * 20_000 + b"Pa$$123\r\n",
)

WRONG = (
    ("imap", b"a LOGIN linda xPa$$123\r\n"),
    ("pop3", b"USER linda\r\nPASS  Pa$$123\r\n"),
    ("pop3", b"USER linda\r\nPASS Pa$$123"),
)
"""Wrong passwords, which are mistyped right ones. Each is answered as late as the slowest hash takes."""

LMTP_LOGINS = (
    b"LHLO here\r\nAUTH PLAIN " + PLAIN + b"\r\n",
    b"LHLO here\r\nAUTH LOGIN\r\n" + LINDA + b"\r\n" + ENCODED + b"\r\n",
    b"Pa$$123\r\n",
)

SECRETS = (SECRET, PLAIN, ENCODED, b"a$$123", ENCODED[:-2])

AFTER = {"imap": b"z NOOP\r\n", "pop3": b"CAPA\r\n", "lmtp": b"NOOP\r\n"}
"""What a client pipelines after its login."""

LOGINS = [
    *(("imap", login) for login in IMAP_LOGINS),
    *(("pop3", login) for login in POP3_LOGINS),
    *(("lmtp", login) for login in LMTP_LOGINS),
]

login = pytest.mark.parametrize(("protocol", "sent"), LOGINS, ids=lambda value: str(value[:40]))


@pytest.fixture(scope="module")
def room() -> Iterator[tuple[asyncio.Runner, Services]]:
    """A loop and services that all examples share. What cannot be read is refused without a delay."""
    with asyncio.Runner() as runner:
        opened = given_services()
        made = runner.run(opened.__aenter__())
        limits = replace(made.services.limits, login_bad_commands=1000, bad_commands=1000, login_failures=1000)
        yield runner, replace(made.services, limits=limits)
        runner.run(opened.__aexit__(None, None, None))


def hides(shown: list[str]) -> bool:
    said = "\n".join(shown).encode()
    return not any(secret in said for secret in SECRETS)


@login
def test_at_whatever_octet_the_stream_is_cut(room: tuple[asyncio.Runner, Services], protocol: str, sent: bytes) -> None:
    runner, services = room
    stream = sent + AFTER[protocol]
    edges = range(0, len(stream) + 1) if len(stream) < 200 else (0, 10, 30, len(stream) - 20)
    for edge in edges:
        shown = runner.run(followed(services, protocol, (stream[:edge], stream[edge:]), content=True))
        assert hides(shown), (edge, shown)
    assert hides(runner.run(followed(services, protocol, (stream,), by_octet=len(stream) < 200)))


@pytest.mark.parametrize(("protocol", "sent"), WRONG)
def test_a_wrong_password_is_hidden_too(room: tuple[asyncio.Runner, Services], protocol: str, sent: bytes) -> None:
    runner, services = room
    assert hides(runner.run(followed(services, protocol, (sent, AFTER[protocol]))))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_several_logins_in_any_pieces(room: tuple[asyncio.Runner, Services], data: st.DataObject) -> None:
    runner, services = room
    protocol = data.draw(st.sampled_from(["imap", "pop3"]))
    logins = [sent for name, sent in LOGINS if name == protocol and len(sent) < 200]
    sent = b"".join(data.draw(st.lists(st.sampled_from([*logins, AFTER[protocol]]), min_size=1, max_size=5)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    shown = runner.run(followed(services, protocol, pieces, content=data.draw(st.booleans())))
    assert hides(shown), shown


@given(st.binary(max_size=60), st.sampled_from(["imap", "pop3", "lmtp"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_password_in_no_command_at_all(
    room: tuple[asyncio.Runner, Services], junk: bytes, protocol: str, before: bool
) -> None:
    """Lines that are no command are hidden as a whole, wherever the password is in them."""
    runner, services = room
    junk = junk.translate(None, b"\r\n \t{}")
    line = b"%b%b" % (junk, SECRET) if before else b"%b%b %b" % (SECRET, junk, junk)
    shown = runner.run(followed(services, protocol, (line + b"\r\n", AFTER[protocol])))
    assert hides(shown), shown


def test_what_is_no_secret_is_shown(room: tuple[asyncio.Runner, Services]) -> None:
    runner, services = room
    stream = (
        b"a CAPABILITY\r\nb LOGIN linda Pa$$123\r\nc APPEND INBOX (\\Seen) {23+}\r\nSubject: x\r\n\r\nhello\r\n\r\n"
        b"d FETCH 1 FLAGS\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n"
    )
    shown = runner.run(followed(services, "imap", (stream,)))
    assert [line for line in shown if line.startswith("C: ")] == [
        "C: a CAPABILITY",
        "C: b LOGIN linda ***",
        r"C: c APPEND INBOX (\Seen) {23+}",
        "C: ... 23 octets",
        "C: d FETCH 1 FLAGS",
        "C: e IDLE",
        "C: DONE",
        "C: f LOGOUT",
    ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"a LOGIN linda Pa$$123\r\n", ["C: a LOGIN linda ***", "S: a OK [CAPABILITY"]),
        (b"a LOGIN {5}\r\nlinda Pa$$123\r\n", ["C: a LOGIN ***{5}", "S: + Go", "C: ... 5 octets", "C: ***", "S: a OK"]),
        (b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n", ["C: a AUTHENTICATE PLAIN ***", "S: a OK"]),
        (b"a AUTHENTICATE PLAIN\r\n" + PLAIN + b"\r\n", ["C: a AUTHENTICATE PLAIN", "S: + ", "C: ***", "S: a OK"]),
        (
            b"a AUTHENTICATE LOGIN\r\n" + LINDA + b"\r\n" + ENCODED + b"\r\n",
            ["C: a AUTHENTICATE LOGIN", "S: + ***", "C: ***", "S: + ***", "C: ***", "S: a OK"],
        ),
        (b"Pa$$123 x\r\n", ["C: *** (9 octets)", "S: *** BAD"]),
    ],
)
def test_a_login_is_recognised(room: tuple[asyncio.Runner, Services], sent: bytes, shown: list[str]) -> None:
    runner, services = room
    lines = runner.run(followed(services, "imap", (sent,)))[1:]
    assert len(lines) == len(shown)
    assert all(line.startswith(start) for line, start in zip(lines, shown, strict=True)), lines


def test_a_pop3_login_is_recognised(room: tuple[asyncio.Runner, Services]) -> None:
    runner, services = room
    shown = runner.run(followed(services, "pop3", (b"USER linda\r\nPASS\r\nAUTH LOGIN\r\n*\r\n",)))
    assert [line for line in shown if line.startswith("C: ")] == [
        "C: USER linda",
        "C: PASS",
        "C: AUTH LOGIN",
        "C: ***",
    ]
    assert "S: + ***" in shown
