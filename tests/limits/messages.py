"""The limits of a message, for each way by which a message comes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text
from tests.limits.limited_server import LOGIN, UNTRACED, LimitedServer, answer, limited_server

Way = Callable[[LimitedServer, bytes], Awaitable[None]]


async def append(limited: LimitedServer, raw: bytes) -> None:
    """By APPEND. Raises Refused if it is refused."""
    async with limited.imap(LOGIN) as client:
        said = await answer(client, b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw))
        if b"a NO [TOOBIG]" in said or b"a BAD A message may have" in said:
            raise Refused(Code.TOOBIG, Text("{reply}").of(reply=said.decode()))
        assert said.startswith(b"a OK"), said


async def lmtp(limited: LimitedServer, raw: bytes) -> None:
    """By LMTP."""
    async with limited.lmtp() as client:
        await client.line()
        client.send(b"LHLO there\r\nMAIL FROM:<>\r\nRCPT TO:<linda>\r\nDATA\r\n")
        await client.until(b"354 ")
        await client.line()
        client.send(raw + b".\r\n")
        said = await client.line()
        if said.startswith(b"552 5.3.4 "):
            raise Refused(Code.TOOBIG, Text("{reply}").of(reply=said.decode()))
        assert said.startswith(b"250 "), said


async def deliver(limited: LimitedServer, raw: bytes) -> None:
    """By the program that embeds the server."""
    await limited.server.deliver("linda", raw)


WAYS: dict[str, Way] = {"APPEND": append, "LMTP": lmtp, "Server.deliver": deliver}


@dataclass(frozen=True)
class Shown:
    """Messages that are parsed whole at the limit, and not with a limit lower by one."""

    limit: int
    messages: tuple[bytes, ...]
    question: bytes
    seen: bytes
    """A part of the answer that appears only if everything was parsed."""


def _multipart(boundary: bytes, *parts: bytes) -> bytes:
    head = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n" % boundary
    return head + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


_LEAF = b"Content-Type: text/x-last\r\n\r\nx"
_TEXT = b"Content-Type: text/plain\r\n\r\nx"
_HEADER = b"From: a@x.example\r\nSubject: the last word\r\n\r\n"
_BODY = b"some text that ends in zebra"

SHOWN = {
    "mime_depth": Shown(3, (_multipart(b"b", _multipart(b"c", _LEAF)),), b"FETCH 1 BODYSTRUCTURE", b'"x-last"'),
    "mime_parts": Shown(4, (_multipart(b"b", _TEXT, _LEAF, _TEXT),), b"FETCH 1 BODYSTRUCTURE", b'"x-last"'),
    "header_bytes": Shown(len(_HEADER.rstrip()), (_HEADER,), b"FETCH 1 ENVELOPE", b'"the last word"'),
    "header_field_bytes": Shown(
        len(b" the last word"), (b"Subject: the last word\r\n\r\n",), b"FETCH 1 ENVELOPE", b'"the last word"'
    ),
    "header_fields": Shown(2, (_HEADER,), b"FETCH 1 ENVELOPE", b'"the last word"'),
    "addresses": Shown(2, (b"To: a@x.example, last@x.example\r\n\r\n",), b"FETCH 1 ENVELOPE", b'"last"'),
    "references": Shown(
        2,
        (
            b"Message-ID: <1@x>\r\nSubject: one\r\n\r\n",
            b"Message-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\nSubject: other\r\n\r\n",
        ),
        b"THREAD REFERENCES UTF-8 ALL",
        b"(1 2)",
    ),
    "text_bytes": Shown(len(_BODY), (b"Subject: x\r\n\r\n" + _BODY,), b"SEARCH BODY zebra", b"* SEARCH 1"),
}


async def demonstrate(field: str, way: Way) -> None:
    """At its limit a message is parsed whole; with a limit lower by one it is not."""
    if field == "message_bytes":
        await _show_size(way)
        return
    shown = SHOWN[field]
    for limit, is_whole in ((shown.limit, True), (shown.limit - 1, False)):
        async with limited_server(delivery=UNTRACED, **{field: limit}) as limited:
            for raw in shown.messages:
                await way(limited, raw + b"\r\n")
            async with limited.imap(LOGIN, b"SELECT INBOX") as client:
                said = await answer(client, shown.question)
                assert b"a OK" in said
                assert (shown.seen in said) is is_whole, said


async def _show_size(way: Way) -> None:
    raw = b"Subject: x\r\n\r\n" + b"x" * 84 + b"\r\n"
    async with limited_server(delivery=UNTRACED, message_bytes=len(raw)) as limited:
        await way(limited, raw)
        with pytest.raises(Refused) as refused:
            await way(limited, b"X" + raw)
        assert refused.value.code is Code.TOOBIG
        async with limited.imap(LOGIN) as client:
            assert b"(MESSAGES 1)" in await answer(client, b"STATUS INBOX (MESSAGES)")


FIELDS = ("message_bytes", *SHOWN)
