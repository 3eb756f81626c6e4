"""A quick estimate finds the messages that are expensive to prepare, whatever their size."""

from __future__ import annotations

import asyncio

import pytest

from mektup.store.prepare import may_cost_much, prepare_in_turn
from mektup.terms.limits import Limits

HEADER = b"From: a@x.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
MULTIPART = HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
PART = b"\r\n--b\r\nContent-Type: text/plain\r\n\r\n%b"
END = b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        MULTIPART + PART % b"" * 500 + END,
        HEADER + b"To: " + b"a@b, " * 3000 + b"a@b\r\n\r\nx\r\n",
        HEADER + b"To: " + b"(" * 20_000 + b"\r\n\r\nx\r\n",
        HEADER + b"A:\r\n" * 5000 + b"\r\nx\r\n",
        HEADER + b"X: no empty line" * 1000,
        MULTIPART + PART % b"x" + b"\r\n--b\r\nContent-Type: text/plain" + b";\r\n a*0*=b" * 2000 + b"\r\n\r\nx" + END,
        HEADER + b"Content-Type: Message/RFC822\r\n\r\nTo: " + b"a@b, " * 3000 + b"\r\n\r\nx\r\n",
        HEADER + b"\r\n" + b"x" * 300_000,
    ],
    ids=[
        "parts",
        "addresses",
        "comments",
        "fields",
        "all header",
        "parameters of a part",
        "a message in a message",
        "size",
    ],
)
async def test_expensive_messages_are_prepared_in_a_thread(raw: bytes) -> None:
    assert may_cost_much(raw)
    others = asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)
    arrival = await prepare_in_turn(raw, Limits())
    assert arrival.size == len(raw)
    assert others.is_set(), "it was prepared in the loop, which did nothing else"


@pytest.mark.parametrize(
    "raw",
    [
        HEADER + b"\r\nx\r\n",
        HEADER + b"Received: from a by b; today\r\n" * 50 + b"\r\n" + b"A line of text.\r\n" * 10_000,
        MULTIPART + PART % ((b"QUJD" * 18 + b"\r\n") * 500) + PART % b"<p>x</p>" + END,
        b"",
    ],
    ids=["small", "text", "an attachment", "nothing"],
)
async def test_ordinary_mail_is_not_sent_to_a_thread(raw: bytes) -> None:
    assert not may_cost_much(raw[:200_000])
    others = asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)
    await prepare_in_turn(raw[:200_000])
    assert not others.is_set()
