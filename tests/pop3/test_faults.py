"""A disk that fails during a POP3 session: mail can be read, and QUIT says whether messages were removed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mektup.pop3.session import Pop3Session
from tests.support.dialogue import Dialogue
from tests.support.faulty_disk import FaultyDisk, faulty_disk, full
from tests.support.services import Given, append, given_services, messages

RAW = b"Subject: x\r\n\r\ny\r\n"


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
async def given(disk: FaultyDisk, tmp_path: Path) -> AsyncIterator[Given]:
    async with given_services(tmp_path / "data") as given:
        yield given
        disk.works()


async def test_quit_says_whether_messages_were_removed(given: Given, disk: FaultyDisk) -> None:
    account = await given.account()
    await append(account, RAW)
    await append(account, RAW)
    for number in range(1, 60):
        disk.fails_at(number, full)
        async with Dialogue(Pop3Session, given.services) as client:
            client.send(b"USER linda\r\nPASS Pa$$123\r\nRETR 2\r\nDELE 1\r\nQUIT\r\n")
            await client.until(b"+OK Message 1 will be removed at QUIT\r\n")
            answer = await client.line()
        disk.works()
        left = len(await messages(account))
        if answer.startswith(b"+OK"):  # and \Seen could not be set afterwards
            assert left == 1
            break
        assert answer == b"-ERR [SYS/TEMP] No room is left on the server's disk"
        assert left == 2
    assert number > 1
