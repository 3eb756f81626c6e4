"""NOTIFY, where a transcript is too coarse: pipelined commands, clients that do not read, many changes, faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mektup.imap.session import ImapSession
from mektup.store.interface import Incoming
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.prepare import prepare_in_turn
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet
from mektup.terms.texts import Text
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services, remove_first

SMALL = b"Subject: small\r\n\r\nfirst line\r\n"
UNKNOWN = b"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: x-y\r\n\r\nhm\r\n--b--\r\n"
EVERYTHING = b"NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange)) (personal (MailboxName MessageNew \
MessageExpunge SubscriptionChange))"


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for _ in range(3):
            await append(account, SMALL)
        yield services


def dialogue(given: Given) -> Dialogue:
    return Dialogue(ImapSession, given.services)


async def begin(client: Dialogue, *commands: bytes) -> None:
    """Sends a login and *commands*; reads all answers."""
    for number, command in enumerate((b"LOGIN linda Pa$$123", b"ENABLE IMAP4rev2", *commands)):
        client.send(b"b%d %b\r\n" % (number, command))
        await client.until(b"b%d OK" % number)
        await client.until(b"\r\n")
    await client.taken()


async def test_pipelined_sequence_numbers_are_those_from_before(given: Given) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, b"SELECT INBOX", b"NOTIFY NONE")
        await remove_first(account)
        client.send(b"c %b\r\nd FETCH 2 UID\r\n" % EVERYTHING)
        told = await client.until(b"d OK FETCH completed\r\n")
        assert told == b"c OK NOTIFY completed\r\n* 2 FETCH (UID 2)\r\nd OK FETCH completed\r\n"
        assert await client.line() == b"* 1 EXPUNGE"


async def test_nothing_is_told_in_the_middle_of_a_command(given: Given) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, b"SELECT INBOX", EVERYTHING)
        client.send(b"c FETCH 2")
        await client.taken()
        await remove_first(account)
        await client.taken()
        client.send(b" UID\r\n")
        assert await client.lines(3) == [b"* 2 FETCH (UID 2)", b"c OK FETCH completed", b"* 1 EXPUNGE"]
        client.send(b"d APPEND INBOX {3}\r\n")
        assert (await client.line()).startswith(b"+ ")
        await remove_first(account)
        await client.taken()
        client.send(b"abc\r\n")
        assert await client.lines(2) == [b"* 1 EXPUNGE", b"* 2 EXISTS"]
        assert (await client.line()).startswith(b"d OK [APPENDUID ")


async def test_a_thousand_changes_while_a_client_does_not_read_become_one_telling(given: Given) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, EVERYTHING)
        client.send(b"c")  # a command has begun, so nothing is told
        await client.taken()
        for number in range(100):
            await account.create(f"m{number}")
            await append(account, SMALL, f"m{number}")
        for _ in range(100):
            await append(account, SMALL)
            await account.subscribe("again")
            await account.unsubscribe("again")
        client.send(b" NOOP\r\n")
        told = await client.lines(201)
        assert await client.line() == b"c OK NOOP completed"
        assert sum(line.startswith(b"* LIST (\\HasNoChildren)") for line in told) == 100
        assert sum(b" UIDNEXT 2 MESSAGES 1)" in line for line in told) == 100
        assert next(line for line in told if line.startswith(b"* STATUS INBOX ")).endswith(b"UIDNEXT 104 MESSAGES 103)")


async def test_new_messages_that_cannot_be_decoded_are_left_out(given: Given) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, b"SELECT INBOX", b"NOTIFY SET (selected (MessageNew (BINARY.PEEK[1]) MessageExpunge))")
        inbox = (await account.mailbox("INBOX")).id
        both = [Incoming(await prepare_in_turn(raw)) for raw in (UNKNOWN, SMALL)]
        await account.append(inbox, both)
        assert await client.lines(2) == [b"* 5 EXISTS", b"* 5 FETCH (UID 5 BINARY[1] {12}"]


async def test_a_body_without_peek_leaves_messages_unseen(given: Given) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, b"SELECT INBOX", b"NOTIFY SET (selected (MessageNew (BODY[TEXT] FLAGS) MessageExpunge))")
        await append(account, SMALL)
        assert await client.lines(3) == [b"* 4 EXISTS", b"* 4 FETCH (UID 4 BODY[TEXT] {12}", b"first line"]
        assert await client.line() == b" FLAGS ())"
        assert (await account.mailbox("INBOX")).unseen == 4


async def test_what_a_client_did_not_want_to_hear_is_told_by_the_next_set(given: Given) -> None:
    account = await given.account()
    inbox = (await account.mailbox("INBOX")).id
    async with dialogue(given) as client:
        await begin(client, b"ENABLE QRESYNC", b"SELECT INBOX", b"NOTIFY SET (selected (MessageNew MessageExpunge))")
        await account.store_flags(inbox, NumberSet.of([Uid(2)]), FlagChange.ADD, frozenset({"\\Flagged"}))
        flagged = await account.modseq(inbox)
        await append(account, SMALL)
        assert await client.line() == b"* 4 EXISTS"
        # RFC 7162 §6: a client that lost its connection here would ask for the change of the flag
        client.send(b"c UID FETCH 4 MODSEQ\r\n")
        assert (await client.line()).startswith(b"* 4 FETCH (UID 4 MODSEQ (")
        assert await client.line() == b"c OK [HIGHESTMODSEQ %d] FETCH completed" % (flagged - 1)
        client.send(b"d NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\r\n")
        assert await client.line() == b"* 2 FETCH (UID 2 FLAGS (\\Flagged) MODSEQ (%d))" % flagged
        assert await client.line() == b"d OK [HIGHESTMODSEQ %d] NOTIFY completed" % (flagged + 1)


async def settled() -> None:
    """Lets the session run until it waits again."""
    for _ in range(20):
        await asyncio.sleep(0)


class Failing:
    """An account whose log, or mailboxes, cannot be read for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, account: object, verb: str, times: int) -> None:
        self.left = times
        real = getattr(type(account), verb)

        async def read(this: object, *arguments: object) -> object:
            if self.left:
                self.left -= 1
                raise Refused(Code.UNAVAILABLE, Text("not now"))
            return await real(this, *arguments)

        monkeypatch.setattr(type(account), verb, read)


@pytest.mark.parametrize("verb", ["mailbox_changes", "mailboxes", "subscriptions", "mailbox"])
async def test_a_store_that_cannot_answer_is_asked_again(
    given: Given, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, EVERYTHING)
        inbox = await account.mailbox("INBOX")
        await account.create("new")
        failing = Failing(monkeypatch, account, verb, 1 if verb == "mailbox" else 2)
        await account.copy(inbox.id, NumberSet.of([Uid(1)]), "new")
        for _ in range(3):
            await settled()
            client.clock.advance(5.0)
        assert not failing.left
        told = await client.lines(2)
        assert told[0] == b'* LIST (\\HasNoChildren) "/" new'
        assert told[1].endswith(b"UIDNEXT 2 MESSAGES 1)")


@pytest.mark.parametrize("verb", ["mailbox_changes", "mailboxes", "subscriptions"])
async def test_a_notify_that_fails_changes_nothing(given: Given, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    account = await given.account()
    async with dialogue(given) as client:
        await begin(client, b"NOTIFY SET (mailboxes new (MailboxName))")
        Failing(monkeypatch, account, verb, 1)
        assert (await client.ask(b"c %b" % EVERYTHING)).startswith(b"c NO [UNAVAILABLE] ")
        monkeypatch.undo()
        await account.create("other")
        await account.create("new")
        assert await client.line() == b'* LIST (\\HasNoChildren) "/" new'


async def test_a_log_that_does_not_reach_back_is_told_as_a_whole(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await given.account()
    await account.create("gone")
    await account.create("old")
    async with dialogue(given) as client:
        await begin(client, EVERYTHING)
        real = account.mailbox_changes
        asked: list[ModSeq] = []

        async def whole(since: ModSeq) -> MailboxChanges:
            asked.append(since)
            return await real(since if len(asked) > 2 else ModSeq(0))

        client.send(b"c")
        await client.taken()
        monkeypatch.setattr(type(account), "mailbox_changes", lambda this, since: whole(since))
        await account.delete("gone")
        await account.rename("old", "new")
        await account.create("made")
        await account.subscribe("made")
        client.send(b" NOOP\r\n")
        assert await client.lines(4) == [
            b'* LIST (\\NonExistent \\HasNoChildren) "/" gone',
            b'* LIST (\\HasNoChildren) "/" new ("OLDNAME" ("old"))',
            b'* LIST (\\Subscribed \\HasNoChildren) "/" made',
            b"c OK NOOP completed",
        ]


async def test_renewed_mailboxes_are_told_with_their_new_uidvalidity(given: Given) -> None:
    account = await given.account()
    before = await account.mailbox("INBOX")
    async with dialogue(given) as client:
        await begin(client, b"NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge FlagChange))")
        await account.renew()
        after = await account.mailbox("INBOX")
        assert after.uidvalidity != before.uidvalidity
        told = await client.line()
        assert told == b"* STATUS INBOX (UIDVALIDITY %d UIDNEXT 4 MESSAGES 3 UNSEEN 3)" % after.uidvalidity


async def test_a_session_ends_its_watch(given: Given) -> None:
    account = await given.account()
    hub = account._notifier._hub  # type: ignore[attr-defined]
    async with dialogue(given) as client:
        await begin(client, EVERYTHING, EVERYTHING)
        assert len(watches(hub._watches)) == 1
        client.send(b"c NOTIFY SET (selected NONE)\r\n")
        assert await client.line() == b"c OK NOTIFY completed"
        assert watches(hub._watches) == []
        client.send(b"d %b\r\n" % EVERYTHING)
        assert await client.line() == b"d OK NOTIFY completed"
    assert watches(hub._watches) == []


def watches(table: dict[object, Sequence[object]]) -> list[object]:
    return [watch for some in table.values() for watch in some]
