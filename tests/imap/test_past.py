"""Mailboxes as they were at a moment, over IMAP; a transcript has no clock that the store uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from mektup.imap.session import ImapSession
from mektup.store.interface import Account
from mektup.terms.flags import FlagChange
from tests.contract.mail import inbox, incoming, raw, uids
from tests.contract.test_retention import Clock
from tests.imap.test_sharing import answer, logged_in
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def given(clock: Clock) -> AsyncIterator[Given]:
    async with given_services(clock=clock) as made:
        yield made


@pytest.fixture
async def then(given: Given, clock: Clock) -> str:
    """A moment at which INBOX had two messages, and Work one."""
    account: Account = await given.account()
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=raw("apples")), incoming("$Work", octets=raw("pears"))])
    work = await account.create("Work")
    await account.append(work.id, [incoming("\\Deleted")])
    moment = clock.now
    clock.now += 100
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Flagged"}))
    await account.remove(mailbox, uids(2))
    await account.delete("Work")
    clock.now += 100
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_mailbox_is_read_as_it_was(given: Given, then: str) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await logged_in(given, client, b"linda")
        tagged, lines = await answer(client, b"SELECT Undelete/%b/INBOX" % then.encode())
        assert tagged.startswith(b"a OK [READ-ONLY]")
        assert b"* 2 EXISTS" in lines
        _, lines = await answer(client, b"FETCH 1:* (UID FLAGS)")
        assert lines == [b"* 1 FETCH (UID 1 FLAGS ())", b"* 2 FETCH (UID 2 FLAGS ($Work))"]
        assert (await answer(client, b"SEARCH SUBJECT apples"))[1] == [b"* SEARCH 1"]
        assert (await answer(client, b"SORT (REVERSE SUBJECT) UTF-8 ALL"))[1] == [b"* SORT 2 1"]
        assert b"Subject: pears" in (await answer(client, b"FETCH 2 BODY.PEEK[]"))[1]
        assert (await answer(client, b"STORE 1 +FLAGS (\\Seen)"))[0].startswith(b"a NO")
        assert (await answer(client, b"MOVE 1 INBOX"))[0].startswith(b"a NO")
        assert (await answer(client, b"COPY 2 Archive"))[0].startswith(b"a OK [COPYUID")
        assert (await answer(client, b"STATUS Archive (MESSAGES)"))[1] == [b"* STATUS Archive (MESSAGES 1)"]


async def test_the_mailboxes_of_a_moment_are_listed_to_who_names_it(given: Given, then: str) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await logged_in(given, client, b"linda")
        _, lines = await answer(client, b'LIST "" "Undelete/%b/*"' % then.encode())
        names = [line.rpartition(b"/")[2] for line in lines]
        assert sorted(names) == [b"Archive", b"Drafts", b"INBOX", b"Junk", b"Sent", b"Trash", b"Work"]
        _, lines = await answer(client, b'LIST "" "*"')
        assert not [line for line in lines if b"Undelete" in line]


async def test_a_moment_that_cannot_be_read_is_refused(given: Given, then: str) -> None:
    async with Dialogue(ImapSession, given.services) as client:
        await logged_in(given, client, b"linda")
        for moment in (b"2001-01-01", b"2399-01-01T00:00"):
            assert (await answer(client, b"SELECT Undelete/%b/INBOX" % moment))[0].startswith(b"a NO [CANNOT]")
        assert (await answer(client, b"SELECT Undelete/%b" % then.encode()))[0].startswith(b"a NO [NONEXISTENT]")


async def test_others_do_not_see_what_was_deleted(given: Given, then: str) -> None:
    await given.add("fred")
    async with Dialogue(ImapSession, given.services) as client:
        await logged_in(given, client, b"linda")
        assert (await answer(client, b"SETACL INBOX fred lr"))[0].startswith(b"a OK")
    async with Dialogue(ImapSession, given.services) as client:
        await logged_in(given, client, b"fred")
        for name in (b"Other Users/linda/Undelete", b"Other Users/linda/Undelete/%b/INBOX" % then.encode()):
            assert (await answer(client, b'SELECT "%b"' % name))[0].startswith(b"a NO [NONEXISTENT]")
