"""Previews are strings as they stand on the wire (RFC 8970 §3.2)."""

from __future__ import annotations

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from tests.contract.mail import inbox, incoming, one, raw


@pytest.mark.parametrize(
    ("text", "preview"),
    [
        ("at eight", b'"at eight"'),
        ("", b'""'),
        ('say "%b" \\o/ 100%', b'"say \\"%b\\" \\\\o/ 100%"'),
        ("[x] ^ ~ ! {5}", b'"[x] ^ ~ ! {5}"'),
        ("Akşam sekizde", b"{14}\r\nAk\xc5\x9fam sekizde"),
        ("🍲", b"{4}\r\n\xf0\x9f\x8d\xb2"),
    ],
)
async def test_a_preview_is_quoted_or_a_literal(account: Account, text: str, preview: bytes) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=raw(text=text, more="Content-Type: text/plain; charset=utf-8\r\n"))])
    assert await one(account, mailbox, 1, Column.PREVIEW) == preview
