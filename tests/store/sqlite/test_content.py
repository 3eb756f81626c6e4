"""The octets of a message of any size: any range is read unchanged."""

from __future__ import annotations

import pytest

from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import content
from mektup.terms.limits import MOST_BYTES
from mektup.terms.numbers import ContentId
from mektup.terms.sets import Uids
from tests.contract.mail import incoming
from tests.store.sqlite.conftest import KEEPS_NOTHING

LIMITS = KEEPS_NOTHING


def octets(cursor: Cursor, number: ContentId, start: int, stop: int) -> bytes:
    return b"".join(content.read(cursor, number, start, stop))


async def test_the_last_piece_of_a_message_holds_all_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "CHUNK_BYTES", 16)
    monkeypatch.setattr(content, "LAST_CHUNK", 3)
    store = await open_store(None, limits=LIMITS)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = (await account.mailbox("INBOX")).id
    messages = [b"A: b\r\n\r\n" + bytes(range(33, 33 + length)) for length in (1, 16, 40, 48, 49, 90)]
    await account.append(mailbox, [incoming(octets=message) for message in messages])
    found = await account.database.read(
        lambda cursor: cursor.execute("SELECT content FROM messages ORDER BY uid").fetchall()
    )
    for (number,), message in zip(found, messages, strict=True):
        for start in range(len(message)):
            for stop in range(start, len(message) + 3):
                read = await account.database.read(octets, number, start, stop)
                assert read == message[start:stop]
    await account.remove(mailbox, Uids.span(1, len(messages)))
    assert await account.database.read(lambda cursor: cursor.execute("SELECT count(*) FROM chunks").get) == 0
    await store.close()


def test_the_largest_message_that_may_be_configured_has_room() -> None:
    assert MOST_BYTES <= (1 << content.CHUNK_BITS) * content.CHUNK_BYTES
