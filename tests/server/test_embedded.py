"""Messages that a program delivers, in the forms that Python programs use."""

from __future__ import annotations

import email
import email.policy
import io
import mailbox
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from email import generator
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup import Limits, Refused, Server
from mektup.server.embedded import date_of, flags_of, octets_of
from tests.support.services import flags as flags_in
from tests.support.services import messages as messages_in

RAW = "Subject: günaydın\r\n\r\nçay\r\n".encode()


class SafeMIMEText(MIMEText):
    """As in ``django.core.mail.message``: its ``as_bytes`` has no argument *policy*."""

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:  # type: ignore[override]
        written = io.BytesIO()
        generator.BytesGenerator(written, mangle_from_=False).flatten(self, unixfrom=unixfrom, linesep=linesep)
        return written.getvalue()


def _mime(kind: type[MIMEText] = MIMEText) -> MIMEText:
    message = kind("From the beginning\nçay\n", "plain", "utf-8")
    message["Subject"] = "günaydın"
    return message


def _multipart() -> Message:
    message = MIMEMultipart()
    message["Subject"] = "two"
    message.attach(_mime())
    message.attach(MIMEText("<b>x</b>", "html"))
    return message


def _modern() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "günaydın"
    message["To"] = Address("Çiğdem", "cigdem", "example.org")
    message.set_content("From the beginning\nçay\n")
    message.add_attachment(b"\0\xff", "application", "octet-stream", filename="çay.bin")
    return message


def _in_an_mbox() -> Message:
    message = mailbox.mboxMessage(b"Subject: x\n\nFrom here\n")
    message.set_from("ada@example.org", True)
    return message


def _without_a_charset() -> Message:
    message = Message()
    message["Subject"] = "günaydın"
    message.set_payload("çay\n")
    return message


@pytest.mark.parametrize(
    "message",
    [
        _mime(),
        _mime(SafeMIMEText),
        _multipart(),
        _modern(),
        _in_an_mbox(),
        _without_a_charset(),
        email.message_from_bytes(RAW),
        email.message_from_bytes(RAW, policy=email.policy.default),
        email.message_from_bytes(RAW, policy=email.policy.SMTPUTF8),
        email.message_from_string("Subject: g\u00fcnayd\u0131n\n\n\u00e7ay\n"),
        email.message_from_bytes(b"Content-Type: multipart/mixed\n\nno boundary"),
        email.message_from_bytes(b"not a header\n\nbody"),
        Message(),
        EmailMessage(),
    ],
)
def test_a_message_of_the_standard_library_is_written_with_crlf_and_nothing_before_it(message: Message) -> None:
    octets = octets_of(message)
    assert octets.count(b"\n") == octets.count(b"\r\n")
    assert not octets.startswith(b"From ")
    assert b"\n>From" not in octets
    again = email.message_from_bytes(octets, policy=email.policy.default)
    assert [part.get_content_type() for part in again.walk()] == [part.get_content_type() for part in message.walk()]


@pytest.mark.parametrize("policy", [email.policy.compat32, email.policy.default, email.policy.SMTPUTF8])
def test_octets_beyond_ascii_come_through_a_parser(policy: Any) -> None:
    assert octets_of(email.message_from_bytes(RAW, policy=policy)).endswith("\r\n\r\nçay\r\n".encode())


def test_a_text_without_a_charset_is_utf8() -> None:
    assert octets_of(_without_a_charset()).endswith("\r\n\r\nçay\r\n".encode())


@pytest.mark.parametrize(
    ("message", "octets"),
    [
        (RAW, RAW),
        (bytearray(RAW), RAW),
        (memoryview(RAW), RAW),
        (RAW.decode(), RAW),
        (b"Subject: \xfc\r\n\r\n".decode("ascii", "surrogateescape"), b"Subject: \xfc\r\n\r\n"),
        ("", b""),
    ],
)
def test_octets_and_text(message: Any, octets: bytes) -> None:
    assert octets_of(message) == octets


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "note.eml"
    file.write_bytes(RAW)
    assert octets_of(file) == RAW
    with os.scandir(os.fsencode(tmp_path)) as found:
        [entry] = found  # a path in bytes
        assert octets_of(entry) == RAW
    with pytest.raises(FileNotFoundError):
        octets_of(tmp_path / "nowhere")
    with pytest.raises(IsADirectoryError):
        octets_of(tmp_path)


@pytest.mark.parametrize("message", [None, 1, [RAW], {"Subject": "x"}, io.BytesIO(RAW), object()])
def test_values_that_are_no_message(message: Any) -> None:
    with pytest.raises(TypeError, match=rf"a message is a str, bytes, .*not {type(message).__name__}"):
        octets_of(message)


def _multipart_of_text() -> Message:
    message = Message()
    message["Content-Type"] = "multipart/mixed"
    message.set_payload([1, 2])
    return message


@pytest.mark.parametrize("message", ["\ud800", _multipart_of_text()])
def test_messages_that_cannot_be_written(message: Any) -> None:
    with pytest.raises(ValueError, match=r"a message cannot|the message cannot be written"):
        octets_of(message)


@given(st.text())
def test_every_text_is_written_or_refused(text: str) -> None:
    octets_of(text)


@pytest.mark.parametrize("flags", ["\\Seen", b"\\Seen", None, 1, [1], [b"\\Seen"], [None], [["\\Seen"]]])
def test_values_that_are_no_list_of_flags(flags: Any) -> None:
    with pytest.raises(TypeError, match="flag"):
        flags_of(flags)


def test_a_text_in_place_of_a_list_is_told_how_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"flags is a list: \['\\\\Seen'\], not"):
        flags_of("\\Seen")


def test_dates() -> None:
    east = timezone(timedelta(hours=3))
    assert date_of(None) == (None, 0)
    assert date_of(datetime(1970, 1, 1, 3, 0, 1, tzinfo=east)) == (1, 180)
    assert date_of(datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)) == (-1, 0)
    naive = datetime(2026, 11, 5, 12, 0)
    seconds, zone = date_of(naive)
    assert datetime.fromtimestamp(seconds or 0, timezone(timedelta(minutes=zone))).replace(tzinfo=None) == naive


@pytest.mark.parametrize("moment", [0, 1.5, "2026-11-05", date(2026, 11, 5), (2026, 11, 5)])
def test_values_that_are_no_date(moment: Any) -> None:
    with pytest.raises(TypeError, match=r"internaldate is a datetime\.datetime, not"):
        date_of(moment)


async def _nothing_is_stored(server: Server) -> None:
    entry = await server.store.directory.find("linda")
    assert entry is not None
    account = await server.store.account(entry)
    assert [box.name for box in await account.mailboxes() if box.messages] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": ["ok", "bad flag"]},
        {"flags": "\\Seen"},
        {"internaldate": 0},
        {"mailbox": "Nowhere"},
        {"user": "nobody"},
        {"message": None},
        {"message": "\ud800"},
        {"message": Path("/nowhere")},
        {"message": b"x" * 1000},
        {"flags": [f"k{number}" for number in range(5)]},
    ],
)
async def test_nothing_is_stored_before_everything_is_right(wrong: dict[str, Any]) -> None:
    limits = Limits(message_bytes=100, keywords_per_mailbox=4)
    async with Server(users={"linda": "x"}, listen={}, limits=limits) as server:
        with pytest.raises((Refused, TypeError, ValueError, OSError)):
            await server.deliver(**{"user": "linda", "message": RAW, **wrong})
        await _nothing_is_stored(server)


async def test_an_unknown_mailbox_or_user_is_named() -> None:
    async with Server(users={"linda": "x"}, listen={}) as server:
        with pytest.raises(Refused, match="No such mailbox: Nowhere"):
            await server.deliver("linda", RAW, "Nowhere")
        with pytest.raises(Refused, match="No such account: lindaa"):
            await server.deliver("lindaa", RAW)


@pytest.mark.parametrize("make", [_mime, _modern, lambda: RAW.decode(), lambda: bytearray(RAW)])
async def test_every_form_is_delivered(make: Callable[[], Any]) -> None:
    async with Server(users={"linda": "x"}, listen={}) as server:
        await server.deliver("linda", make(), flags=["$Label"])
        entry = await server.store.directory.find("linda")
        assert entry is not None
        account = await server.store.account(entry)
        (raw,) = await messages_in(account)
        assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == "günaydın"
        assert await flags_in(account) == [("$Label",)]
