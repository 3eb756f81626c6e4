"""A server that drops, refuses or lies: what it does not give is said, and the rest is read."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mektup.migration.imap.errors import Lost, NotUnderstood
from mektup.migration.imap.fetched import Fetched
from mektup.migration.imap.mailboxes import MailboxState, ServerMailbox
from mektup.migration.imap.reader import MOST_IN_A_ROW, Reader, Unfetched
from mektup.migration.imap.responses import Message
from mektup.terms.sets import NumberSet, Uids
from tests.migration.imap.scripted import CLOSE, Scripted, message, scripted, sends, uids_of

WORK = ServerMailbox(b"Work", "Work", None, is_subscribed=True)


def uids(first: int, last: int) -> Uids:
    return NumberSet.span(first, last)


async def read(reader: Reader, wanted: Uids) -> tuple[list[int], dict[int, str]]:
    """The UIDs of the messages that came, in this order, and why others did not."""
    came, missing = [], {}
    async for each in reader.messages(wanted):
        if isinstance(each, Fetched):
            assert each.uid is not None
            came.append(int(each.uid))
            if isinstance(each.message, Message):
                each.message.spool.close()
        elif isinstance(each, Unfetched):
            missing[int(each.uid)] = str(each.reason)
    await reader.close()
    return came, missing


async def opened(script: Scripted, **tries: int) -> Reader:
    reader = script.reader(**tries)
    await reader.open(WORK)
    return reader


async def test_what_examine_tells() -> None:
    async with scripted() as script:
        reader = script.reader()
        assert await reader.open(WORK) == MailboxState(uidvalidity=7, uidnext=4, messages=3)
        await reader.close()


async def test_messages_come_with_flags_and_dates() -> None:
    async with scripted(UID_FETCH=sends(1)) as script:
        reader = await opened(script)
        [one] = [each async for each in reader.messages(uids(1, 1))]
        assert isinstance(one, Fetched)
        assert (one.uid, one.flags, one.internaldate, one.size) == (1, ("\\Seen", "Work"), (1769934030, 120), 29)
        assert isinstance(one.message, Message)
        assert bytes(one.message.spool.octets()) == b"Subject: dinner\r\n\r\nat eight\r\n"
        await reader.close()


async def test_a_message_that_is_gone_meanwhile_is_no_problem() -> None:
    async with scripted(UID_FETCH=sends(1, 3)) as script:
        assert await read(await opened(script), uids(1, 3)) == ([1, 3], {})


async def test_a_message_that_exists_but_is_not_sent_is_named() -> None:
    def answer(command: str) -> bytes:
        if command.endswith("(UID)"):
            return b"* 2 FETCH (UID 2)\r\n%s OK done\r\n"
        return sends(1, 3)(command)

    async with scripted(UID_FETCH=answer) as script:
        came, missing = await read(await opened(script), uids(1, 3))
    assert came == [1, 3]
    assert missing.keys() == {2}


async def test_nil_instead_of_a_message_is_named() -> None:
    def answer(command: str) -> bytes:
        nil = b"* 2 FETCH (UID 2 FLAGS () BODY[] NIL)\r\n" if 2 in uids_of(command) else b""
        return nil + sends(1, 3)(command)

    async with scripted(UID_FETCH=answer) as script:
        came, missing = await read(await opened(script), uids(1, 3))
    assert came == [1, 3]
    assert missing.keys() == {2}


async def test_after_no_to_a_batch_each_message_is_asked_for_alone() -> None:
    def answer(command: str) -> bytes:
        if 2 in uids_of(command):
            return b"%s NO [SERVERBUG] cannot open the file\r\n"
        return sends(*range(1, 6))(command)

    async with scripted(UID_FETCH=answer) as script:
        came, missing = await read(await opened(script), uids(1, 5))
        assert script.count("EXAMINE") == 1, "the connection stays"
    assert came == [1, 3, 4, 5]
    assert "cannot open the file" in missing[2]


def cut(octets: int, *, upto: int = 9) -> Callable[[str], bytes]:
    """Sends messages, but at most *octets* octets; then the connection ends."""

    def answer(command: str) -> bytes:
        whole = sends(*range(1, upto + 1))(command)
        return whole if len(whole) <= octets else whole[:octets] + CLOSE

    return answer


@pytest.mark.parametrize("octets", [160, 200, 400, 1000])
async def test_a_connection_that_breaks_within_a_message_goes_on_with_that_message(octets: int) -> None:
    async with scripted(UID_FETCH=cut(octets)) as script:
        reader = await opened(script)
        came, missing = await read(reader, uids(1, 9))
    assert (came, missing) == ([*range(1, 10)], {})
    assert reader.reconnections > 0


async def test_a_message_at_which_the_connection_always_breaks_is_named_and_the_rest_goes_on() -> None:
    def answer(command: str) -> bytes:
        asked = uids_of(command)
        if 2 not in asked:
            return sends(1, 3, 4)(command)
        return b"".join(message(uid) for uid in asked if uid < 2) + b"* 2 FETCH (UID 2 BODY[] {100}\r\nSubj" + CLOSE

    async with scripted(UID_FETCH=answer) as script:
        came, missing = await read(await opened(script), uids(1, 4))
    assert came == [1, 3, 4]
    assert "closed" in missing[2]


@pytest.mark.parametrize(
    "lie",
    [
        b"* 2 FETCH (UID 2 BODY[] {999999999999}\r\n",
        b"* 2 FETCH (UID 2 BODY[] (((\r\n",
        b"* 2 FETCH (UID two)\r\n",
        b"%PDF-1.4\r\n",
        b'* 2 FETCH (UID 2 BODY[] "unfinished)\r\n',
        b"* LIST () NIL {999999}\r\n",
    ],
)
async def test_a_message_that_is_no_imap_is_named_and_the_rest_goes_on(lie: bytes) -> None:
    async with scripted(UID_FETCH=lambda command: lie if 2 in uids_of(command) else sends(1, 3, 4)(command)) as script:
        came, missing = await read(await opened(script), uids(1, 4))
    assert (came, set(missing)) == ([1, 3, 4], {2})


async def test_an_endless_line_is_refused_and_not_kept() -> None:
    endless = b"* " + b"x" * (9 * 2**20) + b"\r\n"
    async with scripted(UID_FETCH=lambda command: endless) as script:
        came, missing = await read(await opened(script), uids(1, 1))
    assert came == []
    assert "a line of more than" in missing[1]


async def test_a_size_that_is_too_small_leaves_octets_that_are_no_imap() -> None:
    lie = message(2).replace(b"{29}", b"{20}")
    async with scripted(UID_FETCH=lambda command: lie if 2 in uids_of(command) else sends(1, 3)(command)) as script:
        came, missing = await read(await opened(script), uids(1, 3))
    assert (came, set(missing)) == ([1, 3], {2})


async def test_a_server_that_gives_nothing_any_more_is_left() -> None:
    async with scripted(UID_FETCH=b"%s NO not now\r\n") as script:
        reader = await opened(script)
        with pytest.raises(Lost, match=str(MOST_IN_A_ROW)):
            await read(reader, uids(1, 1000))
        await reader.close()
        assert script.count("UID FETCH") == MOST_IN_A_ROW + 1, "the batch, and each of these messages alone"


async def test_a_server_that_is_gone_is_tried_a_few_times() -> None:
    async with scripted(UID_FETCH=CLOSE) as script:
        reader = await opened(script, tries=2)
        script.greeting = b"* BYE too many connections\r\n"
        with pytest.raises(Lost, match="too many connections"):
            await read(reader, uids(1, 3))


async def test_a_mailbox_that_is_another_one_after_the_break_is_not_read_on() -> None:
    async with scripted(UID_FETCH=CLOSE) as script:
        reader = await opened(script)
        script.answers["EXAMINE"] = b"* OK [UIDVALIDITY 8] .\r\n%s OK done\r\n"
        with pytest.raises(Lost, match="another UIDVALIDITY"):
            await read(reader, uids(1, 3))


async def test_flags_that_another_client_changes_meanwhile_are_not_taken_for_messages() -> None:
    def answer(command: str) -> bytes:
        return b"* 7 FETCH (UID 7 FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* 3 EXPUNGE\r\n" + sends(1, 2)(command)

    async with scripted(UID_FETCH=answer) as script:
        assert await read(await opened(script), uids(1, 2)) == ([1, 2], {})


async def test_a_message_that_nobody_asked_for_is_dropped() -> None:
    async with scripted(UID_FETCH=lambda command: message(99) + sends(1)(command)) as script:
        assert await read(await opened(script), uids(1, 1)) == ([1], {})


async def test_answers_that_nobody_asked_for_do_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.migration.imap.reader.MOST_OTHERS", 50)
    flood = b"* 7 FETCH (UID 7 FLAGS ())\r\n" * 60
    async with scripted(UID_FETCH=lambda command: flood + sends(1)(command)) as script:
        came, missing = await read(await opened(script), uids(1, 1))
    assert came == []
    assert "nobody asked for" in missing[1]


# What is in a mailbox, and what changed

FLAGS = b"* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 4 FLAGS (Work))\r\n%s OK done\r\n"


async def test_everything_without_modseqs() -> None:
    async with scripted(UID_FETCH=FLAGS) as script:
        reader = await opened(script)
        listing = await reader.listing(since=12)
        await reader.close()
    assert (listing.flags, listing.gone) == ({1: ("\\Seen",), 4: ("Work",)}, None)
    assert "CHANGEDSINCE" not in str(script.commands)


def capable(*names: str) -> bytes:
    return b"* CAPABILITY IMAP4rev1 " + " ".join(names).encode() + b"\r\n%s OK done\r\n"


async def test_changes_with_qresync() -> None:
    def answer(command: str) -> bytes:
        assert re.search(r"\(CHANGEDSINCE 12 VANISHED\)$", command)
        return b"* VANISHED (EARLIER) 2:3,9\r\n" + FLAGS

    enabled = b"* ENABLED QRESYNC\r\n%s OK done\r\n"
    async with scripted(CAPABILITY=capable("ENABLE", "QRESYNC"), ENABLE=enabled, UID_FETCH=answer) as script:
        reader = await opened(script)
        listing = await reader.listing(since=12)
        await reader.close()
    assert (listing.flags, listing.gone) == ({1: ("\\Seen",), 4: ("Work",)}, NumberSet([(2, 3), (9, 9)]))


@pytest.mark.parametrize(
    ("more", "search"),
    [
        ((), b"* SEARCH 1 2\r\n%s OK done\r\n"),
        (("ESEARCH",), b'* ESEARCH (TAG "m1") UID ALL 1:2\r\n%s OK done\r\n'),
    ],
)
async def test_changes_with_condstore_and_what_is_gone_by_a_search(more: tuple[str, ...], search: bytes) -> None:
    async with scripted(CAPABILITY=capable("CONDSTORE", *more), UID_FETCH=FLAGS, UID_SEARCH=search) as script:
        reader = await opened(script)
        listing = await reader.listing(since=12)
        await reader.close()
    assert listing.gone == NumberSet([(3, 3)]), "UIDNEXT is 4"
    assert script.count("UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 12)") == 1


async def test_a_listing_that_is_no_imap_is_refused() -> None:
    async with scripted(UID_FETCH=b"* 1 FETCH (UID x)\r\n") as script:
        reader = await opened(script)
        with pytest.raises(NotUnderstood):
            await reader.listing()
        await reader.close()
