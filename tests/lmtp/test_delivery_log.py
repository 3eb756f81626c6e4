"""Each delivery is in the log, with what a person asks who looks for a message; so is each refusal, with its reason."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mektup.lmtp.session import LmtpSession
from mektup.server import logs
from mektup.session.services import Services
from mektup.terms.log_rules import LogRules
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services

MAIL = b"Message-ID: <m1@example.org>\r\nSubject: secret\r\n\r\nsecret\r\n"


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


async def deliver(services: Services, *recipients: bytes, mail: bytes = MAIL, sender: bytes = b"a@example.org") -> None:
    async with Dialogue(LmtpSession, services) as client:
        to = b"".join(b"RCPT TO:<%b>\r\n" % recipient for recipient in recipients)
        client.send(b"LHLO mx\r\nMAIL FROM:<%b>\r\n%bDATA\r\n" % (sender, to))
        while (reply := await client.line()) and not reply.startswith((b"354", b"503")):
            pass
        if reply.startswith(b"354"):
            client.send(mail + b".\r\n")
        client.send(b"QUIT\r\n")
        await client.rest()


async def test_a_line_for_each_message_and_recipient(given: Given) -> None:
    await (await given.account()).create("Lists")
    await given.add("ada")
    await deliver(given.services, b"linda@example.org", b"linda+Lists@example.org", b"linda+x@example.org", b"ada")
    assert all(entry.pop("seconds") >= 0 and entry.pop("octets") > len(MAIL) for entry in given.capture.entries)
    same = {"event": "delivered", "log_level": "info", "message_id": "m1@example.org", "sender": "a@example.org"}
    assert given.capture.entries == [
        {**same, "recipient": "linda@example.org", "user": "linda", "mailbox": "INBOX", "uid": 1},
        {**same, "recipient": "linda+Lists@example.org", "user": "linda", "mailbox": "Lists", "uid": 1},
        {**same, "recipient": "linda+x@example.org", "user": "linda", "mailbox": "INBOX", "uid": 1},
        {**same, "recipient": "ada", "user": "ada", "mailbox": "INBOX", "uid": 1},
    ]


async def test_a_bounce_and_a_message_without_an_id(given: Given) -> None:
    await deliver(given.services, b"linda", mail=b"Subject: x\r\n\r\n", sender=b"")
    (entry,) = given.capture.entries
    assert (entry["sender"], "message_id" in entry) == ("<>", False)


async def test_why_a_recipient_was_refused(given: Given) -> None:
    await deliver(given.services, b"nobody@example.org")
    assert given.capture.entries == [
        {
            "event": "delivery_refused",
            "log_level": "warning",
            "sender": "a@example.org",
            "recipient": "nobody@example.org",
            "code": "NONEXISTENT",
            "reason": "No such account here",
        }
    ]


async def test_why_a_message_was_refused(given: Given) -> None:
    small = given.limited(message_bytes=100)
    await deliver(small, b"linda", mail=b"Subject: x\r\n\r\n" + b"x" * 200 + b"\r\n")
    (entry,) = given.capture.entries
    assert (entry["event"], entry["code"], entry["user"]) == ("delivery_refused", "TOOBIG", "linda")
    async with Dialogue(LmtpSession, small) as client:
        client.send(b"LHLO mx\r\nMAIL FROM:<a@example.org> SIZE=1000\r\nQUIT\r\n")
        await client.rest()
    assert (given.capture.entries[1]["code"], given.capture.entries[1]["octets"]) == ("TOOBIG", 1000)


async def test_the_lines_can_be_switched_off(given: Given) -> None:
    quiet = replace(given.services, log_rules=LogRules(deliveries=False))
    await deliver(quiet, b"linda", b"nobody")
    assert given.events == []
    assert given.services.tally.messages == 1


@pytest.mark.parametrize("form", ["text", "json"])
async def test_no_sender_can_forge_a_line_or_fill_the_log(given: Given, form: str) -> None:
    out = io.StringIO()
    services = replace(given.services, log=logs.logger("info", form, out))  # type: ignore[arg-type]
    forged = b"2026-01-01T00:00:00Z [info     ] delivered"
    header = b"Message-ID: <\xe2\x80\xae\x1b[2J\x7f\r\n " + forged + b"@x" + b"y" * 100_000 + b">\r\n\r\n"
    sender = b'"\xe2\x80\xae' + b"s" * 3000 + b'"@example.org'
    await deliver(services, b"linda", mail=header, sender=sender)
    await deliver(services, b'"\xe2\x80\xa8x\xc2\x85' + b"n" * 3000 + b'"@example.org')
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert out.getvalue().replace("\n", "").isprintable()
    assert all(len(line) < 3000 for line in lines)
    if form == "json":
        assert [json.loads(line)["event"] for line in lines] == ["delivered", "delivery_refused"]
