"""Mailboxes of other users, where a transcript is too coarse: removed accounts, large messages, failures in between."""

from __future__ import annotations

import pytest

from mektup.imap.access import Located
from mektup.imap.session import ImapSession
from mektup.store.access_lists import ANYONE
from mektup.store.interface import Account
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import MIB
from mektup.terms.rights import RightsChange
from tests.limits.limited_server import LOGIN as LINDA
from tests.limits.limited_server import SMALL, limited_server
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services, messages

LOGIN = b"a LOGIN %b Pa$$123"
SHARED = b'"Other Users/linda/INBOX"'


async def share(owner: Account, mailbox: str, identifier: str, letters: str) -> None:
    await owner.access_lists.change(mailbox, identifier, RightsChange("", frozenset(letters)))


async def answer(client: Dialogue, command: bytes) -> tuple[bytes, list[bytes]]:
    """The tagged answer to *command*, and the lines before it."""
    client.send(b"a " + command + b"\r\n")
    lines: list[bytes] = []
    while not (line := await client.line()).startswith(b"a "):
        lines.append(line)
    return line, lines


async def logged_in(given: Given, client: Dialogue, name: bytes) -> None:
    await client.line()
    assert (await client.ask(LOGIN % name)).startswith(b"a OK")


async def test_who_has_a_mailbox_of_a_removed_account_selected_is_disconnected() -> None:
    async with given_services() as given, Dialogue(ImapSession, given.services) as client:
        linda, fred = await given.account(), await given.add("fred")
        await share(linda, "INBOX", fred.id, "lr")
        await logged_in(given, client, b"fred")
        assert (await answer(client, b"SELECT " + SHARED))[0].startswith(b"a OK")
        await given.services.store.directory.remove("linda")
        tagged, lines = await answer(client, b"NOOP")
        assert lines[0].startswith(b"* BYE")
        assert b"NONEXISTENT" in tagged
        assert given.events == [] or "bug" not in given.events


async def test_a_new_account_with_the_name_of_a_removed_one_sees_nothing() -> None:
    async with given_services() as given:
        linda, fred = await given.account(), await given.add("fred")
        await share(linda, "INBOX", fred.id, "lr")
        await given.services.store.directory.remove("fred")
        await given.add("fred")
        async with Dialogue(ImapSession, given.services) as client:
            await logged_in(given, client, b"fred")
            assert (await answer(client, b"STATUS " + SHARED + b" (MESSAGES)"))[0].startswith(b"a NO [NONEXISTENT]")
            assert (await answer(client, b'LIST "" "Other*"'))[1] == []
        async with Dialogue(ImapSession, given.services) as client:
            await logged_in(given, client, b"linda")
            assert (await answer(client, b"GETACL INBOX"))[1] == [b"* ACL INBOX linda lrswipkxtecda"]


async def test_many_messages_and_large_ones_go_from_one_account_to_another() -> None:
    async with given_services() as given, Dialogue(ImapSession, given.services) as client:
        linda, fred = await given.account(), await given.add("fred")
        await share(linda, "INBOX", ANYONE, "lrswite")
        mails = [b"Subject: %d\r\n\r\n%b\r\n" % (number, b"x" * size) for number, size in enumerate([5] * 60)]
        mails[30] = b"Subject: large\r\n\r\n" + b"line\r\n" * (3 * MIB // 6)
        for mail in mails:
            await append(linda, mail)
        await logged_in(given, client, b"fred")
        assert (await answer(client, b"SELECT " + SHARED))[0].startswith(b"a OK")
        tagged, lines = await answer(client, b"MOVE 1:* Archive")
        assert tagged.startswith(b"a OK"), tagged
        assert b"COPYUID" in lines[0]
        assert lines[0].split()[4:6] == [b"1:60", b"1:60]"]
        assert lines.count(b"* 1 EXPUNGE") == 60
        assert await messages(fred, "Archive") == mails
        assert await messages(linda) == []


async def test_a_copy_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two transactions succeed; the third one would be the fourth keyword of the target."""
    monkeypatch.setattr("mektup.imap.transfer.AT_ONCE", 2)
    async with limited_server(keywords_per_mailbox=3) as limited:
        await limited.server.add_user("fred", "x")
        for _ in range(5):
            await limited.server.deliver("linda", SMALL)
        await limited.server.deliver("fred", SMALL)
        async with limited.imap(LINDA, b"SELECT INBOX", b"SETACL INBOX anyone lrswite") as linda:
            for command in (b"STORE 1 +FLAGS (a)", b"STORE 3 +FLAGS (b)", b"STORE 5 +FLAGS (c)"):
                assert (await answer(linda, command))[0].startswith(b"a OK")
            fred_in = (
                b"LOGIN fred x",
                b"SELECT INBOX",
                b"STORE 1 +FLAGS (mine)",
                b"MOVE 1 Archive",
                b"SELECT " + SHARED,
            )
            async with limited.imap(*fred_in) as fred:
                for command in (b"MOVE 1:* Archive", b"COPY 1:* Archive"):
                    assert (await answer(fred, command))[0].startswith(b"a NO [LIMIT]")
                status = (await answer(fred, b"STATUS Archive (MESSAGES UIDNEXT)"))[1]
                assert status == [b"* STATUS Archive (MESSAGES 1 UIDNEXT 10)"]
            assert (await answer(linda, b"STATUS INBOX (MESSAGES)"))[1] == [b"* STATUS INBOX (MESSAGES 5)"]


async def test_the_name_of_a_shared_mailbox_that_means_another_one_now() -> None:
    """Rights belong to a mailbox, not to its name: between the question for them and the command, names may change."""
    async with given_services() as given, Dialogue(ImapSession, given.services) as client:
        linda, fred = await given.account(), await given.add("fred")
        await share(linda, "Archive", fred.id, "lr")
        await logged_in(given, client, b"fred")
        lists = await linda.access_lists.shared_with(fred.id)
        located = Located(linda, "Archive", lists.by_name["Archive"], "", False, lists.ids["Archive"])
        located.check((await linda.mailbox("Archive")).id)
        await linda.rename("Archive", "old")
        await linda.rename("Sent", "Archive")
        with pytest.raises(Refused) as refused:
            located.check((await linda.mailbox("Archive")).id)
        assert refused.value.code is Code.NONEXISTENT
