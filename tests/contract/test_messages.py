"""Messages are read as they were stored, with the right UIDs, counters and shared contents."""

from __future__ import annotations

import mmap
import time
from pathlib import Path

import pytest

from mektup.message.scan import scan
from mektup.store.arrival import prepare
from mektup.store.columns import Column
from mektup.store.interface import Account, Incoming
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId, MailboxId
from mektup.terms.sets import Uids
from mektup.wire.bodies import bodies
from mektup.wire.strings import string
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, START, fetched, fill, flags_of, inbox, incoming, one, raw, uids

CHUNK = 256 * 1024
"""The size of the pieces in which an engine may store messages."""

SMALL = 8 * 1024
"""An engine may return messages of this size in pieces."""


async def content(account: Account, mailbox: MailboxId, uid: int, start: int = 0, stop: int = 2**40) -> bytes:
    number = await one(account, mailbox, uid, Column.CONTENT)
    assert isinstance(number, int)
    return b"".join([piece async for piece in account.content(ContentId(number), start, stop)])


async def test_append_names_uids_and_counts(account: Account) -> None:
    mailbox = await inbox(account)
    first = await account.append(mailbox, [incoming("\\Seen"), incoming("\\Deleted")])
    second = await account.append(mailbox, [incoming()])
    now = await account.mailbox("INBOX")
    assert (first.uids, second.uids) == (uids(1, 2), uids(3))
    assert first.uidvalidity == now.uidvalidity
    assert second.modseq > first.modseq
    assert (now.messages, now.unseen, now.deleted, now.recent) == (3, 2, 1, 3)
    assert (now.uidnext, now.highestmodseq, now.size) == (4, second.modseq, 3 * len(raw()))


async def test_append_of_nothing_changes_nothing(account: Account) -> None:
    mailbox = await inbox(account)
    before = await account.mailbox("INBOX")
    assert not (await account.append(mailbox, [])).uids
    assert await account.mailbox("INBOX") == before


async def test_every_column_as_it_was_rendered(account: Account) -> None:
    mailbox = await inbox(account)
    octets = raw("lunch", "noon", more="Message-ID: <1@example.org>\r\n")
    arrival = prepare(octets)
    appended = await account.append(mailbox, [Incoming(arrival, frozenset({"\\Answered"}), 837596665, -420)])
    columns = [column for column in Column if column not in (Column.FLAGS, Column.CONTENT)]
    ((uid, *values),) = await fetched(account, mailbox, EVERYTHING, *columns)
    assert uid == 1
    assert dict(zip(columns, values, strict=True)) == {
        Column.UID: 1,
        Column.MODSEQ: appended.modseq,
        Column.INTERNALDATE: b'"17-Jul-1996 02:44:25 -0700"',
        Column.SAVEDATE: await one(account, mailbox, 1, Column.SAVEDATE),
        Column.SIZE: len(octets),
        Column.ENVELOPE: arrival.envelope,
        Column.BODY: arrival.body,
        Column.BODYSTRUCTURE: arrival.bodystructure,
        Column.BODY_REV1: arrival.body,
        Column.BODYSTRUCTURE_REV1: arrival.bodystructure,
        Column.LAYOUT: arrival.layout,
        Column.HEADER: octets[: octets.index(b"\r\n\r\n") + 4],
        Column.RAW: octets,
        Column.PREVIEW: string(arrival.preview.encode()),
        Column.EMAILID: await one(account, mailbox, 1, Column.EMAILID),
        Column.THREADID: await one(account, mailbox, 1, Column.THREADID),
    }
    assert await flags_of(account, mailbox) == {1: {"\\Answered"}}
    assert await content(account, mailbox, 1) == octets


async def test_two_forms_of_a_structure_are_told_apart(account: Account) -> None:
    mailbox = await inbox(account)
    octets = raw(text="Subject: x\r\n\r\ny", more="Content-Type: message/global\r\n")
    await account.append(mailbox, [Incoming(prepare(octets), frozenset(), 1)])
    columns = (Column.BODY, Column.BODYSTRUCTURE, Column.BODY_REV1, Column.BODYSTRUCTURE_REV1)
    ((_, body, structure, *rev1),) = await fetched(account, mailbox, EVERYTHING, *columns)
    assert (body, structure) == bodies(scan(octets), 1000)
    assert tuple(rev1) == bodies(scan(octets), 1000, rev1=True)
    basic = b'("message" "global" NIL NIL NIL "7bit" 17'
    assert rev1 == [basic + b")", basic + b" NIL NIL NIL NIL)"]


@pytest.mark.parametrize(
    ("seconds", "zone", "shown"),
    [
        (0, 0, b'" 1-Jan-1970 00:00:00 +0000"'),
        (-1, 0, b'"31-Dec-1969 23:59:59 +0000"'),
        (951868799, 345, b'" 1-Mar-2000 05:44:59 +0545"'),
        (4102444800, -30, b'"31-Dec-2099 23:30:00 -0030"'),
    ],
)
async def test_internal_dates_in_their_zone(account: Account, seconds: int, zone: int, shown: bytes) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(internaldate=seconds, zone=zone)])
    assert await one(account, mailbox, 1, Column.INTERNALDATE) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (1_420_134_653, b'" 1-Jan-2015 17:50:53 +0000"'),
        (1_419_811_199, b'"28-Dec-2014 23:59:59 +0000"'),
        (4_102_444_800, b'" 1-Jan-2100 00:00:00 +0000"'),
    ],
)
async def test_save_dates(account: Account, monkeypatch: pytest.MonkeyPatch, seconds: int, shown: bytes) -> None:
    monkeypatch.setattr(time, "time", lambda: seconds + 0.9)
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(internaldate=837596665, zone=-420)])
    assert await one(account, mailbox, 1, Column.SAVEDATE) == shown
    assert await one(account, mailbox, 1, Column.INTERNALDATE) == b'"17-Jul-1996 02:44:25 -0700"'


async def test_a_copy_has_a_save_date_of_its_own(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = await fill(account, 1)
    before = await one(account, mailbox, 1, Column.SAVEDATE)
    archive, trash = (await account.mailbox("Archive")).id, (await account.mailbox("Trash")).id
    monkeypatch.setattr(time, "time", lambda: 4_102_444_800.0)
    await account.copy(mailbox, uids(1), "Archive")
    assert await one(account, archive, 1, Column.SAVEDATE) == b'" 1-Jan-2100 00:00:00 +0000"'
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"}))
    assert await one(account, mailbox, 1, Column.SAVEDATE) == before
    monkeypatch.setattr(time, "time", lambda: 4_102_444_801.0)
    await account.move(mailbox, uids(1), "Trash")
    assert await one(account, trash, 1, Column.SAVEDATE) == b'" 1-Jan-2100 00:00:01 +0000"'
    # the mailbox is the same after its name has changed
    await account.rename("Archive", "Kept")
    assert await one(account, archive, 1, Column.SAVEDATE) == b'" 1-Jan-2100 00:00:00 +0000"'


async def test_equal_messages_have_one_emailid(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(), incoming(octets=raw("other"))])
    await account.copy(mailbox, uids(1), "Archive")
    archive = (await account.mailbox("Archive")).id
    assert await one(account, mailbox, 1, Column.EMAILID) == await one(account, archive, 1, Column.EMAILID)
    assert await one(account, mailbox, 1, Column.EMAILID) != await one(account, mailbox, 2, Column.EMAILID)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\r\n",
        b"no header at all",
        b"Subject: only a header\r\n",
        b"\x00\xff\r\n\r\n\x00" + bytes(range(256)),
        b"A: b\r\n\r\n" + b"x" * 20_000,
        b"A: b\r\n\r\n" + b"x" * (CHUNK - 8),
        b"A: b\r\n\r\n" + b"x" * (CHUNK - 7),
        b"A: b\r\n\r\n" + b"0123456789abcdef" * 70_000,
        b"".join(b"X-%07d: %s\r\n" % (number, b"y" * 80) for number in range(6000)) + b"\r\nbody\r\n",
        b"".join(b"X-%07d: %s\r\n" % (number, b"y" * 80) for number in range(6000)),
    ],
    ids=[
        "empty",
        "crlf",
        "text",
        "header",
        "any octets",
        "ordinary",
        "a chunk",
        "more than a chunk",
        "large",
        "wide",
        "no body",
    ],
)
async def test_messages_of_every_shape_come_back_byte_for_byte(account: Account, octets: bytes) -> None:
    mailbox = await inbox(account)
    arrival = prepare(octets)
    await account.append(mailbox, [Incoming(arrival)])
    assert await content(account, mailbox, 1) == octets
    assert await one(account, mailbox, 1, Column.RAW) in ((octets,) if len(octets) < SMALL else (octets, None))
    assert await one(account, mailbox, 1, Column.HEADER) == octets[: arrival.header_size]
    assert await one(account, mailbox, 1, Column.SIZE) == len(octets)
    edges = [0, 1, arrival.header_size, CHUNK - 1, CHUNK, CHUNK + 8, len(octets), 2**50]
    for start in edges:
        for stop in edges:
            assert await content(account, mailbox, 1, start, stop) == octets[start:stop]


async def test_a_message_from_a_file_is_read_in_bounded_pieces(account: Account, tmp_path: Path) -> None:
    mailbox = await inbox(account)
    path = tmp_path / "message"
    path.write_bytes(b"Subject: large\r\n\r\n" + b"a line of sixteen\r\n" * 300_000)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        await account.append(mailbox, [Incoming(prepare(mapped))])
    number = await one(account, mailbox, 1, Column.CONTENT)
    assert isinstance(number, int)
    pieces = [piece async for piece in account.content(ContentId(number), 0, 2**40)]
    assert b"".join(pieces) == path.read_bytes()
    assert max(map(len, pieces)) <= 1024 * 1024


async def test_too_large_is_refused_and_nothing_of_the_append_stays(opened: OpenStore) -> None:
    store = await opened(limits=Limits(message_bytes=1000))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)
    before = await account.mailbox("INBOX")
    with pytest.raises(Refused) as caught:
        await account.append(mailbox, [incoming("$New"), incoming(octets=raw(text="x" * 1000))])
    assert caught.value.code is Code.TOOBIG
    assert await account.mailbox("INBOX") == before
    await account.append(mailbox, [incoming("$Other")])
    await account.append(mailbox, [incoming("$New")])
    assert await flags_of(account, mailbox) == {1: {"$Other"}, 2: {"$New"}}


async def test_fetch_skips_missing_messages(account: Account) -> None:
    mailbox = await fill(account, 5)
    await account.remove(mailbox, uids(2, 4))
    assert await fetched(account, mailbox, EVERYTHING) == [(1,), (3,), (5,)]
    assert await fetched(account, mailbox, uids(2, 3, 4, 9)) == [(3,)]
    assert await fetched(account, mailbox, uids(2, 4)) == []
    assert await fetched(account, mailbox, Uids()) == []


async def test_fetch_comes_in_slices_ascending_whatever_the_set(account: Account) -> None:
    mailbox = await inbox(account)
    message = incoming()
    count = 1100
    await account.append(mailbox, [message] * count)
    sets = [
        EVERYTHING,
        Uids.span(1, count),
        Uids.of(range(1, count + 1, 2)),  # type: ignore[type-var]
        Uids([(1, 3), (7, 700), (702, 702), (710, 5000), (9000, 2**32 - 1)]),
        Uids([(number, number + 1) for number in range(1, 60_000, 3)]),
        uids(count, count + 1),
    ]
    there = Uids.span(1, count)
    for wanted in sets:
        slices = [rows async for rows in account.fetch(mailbox, wanted, (Column.SIZE,))]
        assert [row[0] for rows in slices for row in rows] == list(wanted & there)
        assert min(map(len, slices)) >= 1


async def test_slices_of_large_columns_are_bounded_in_octets(account: Account) -> None:
    mailbox = await inbox(account)
    message = incoming(octets=raw(more="X-Long: " + "x" * 100_000 + "\r\n", text="x" * 100_000))
    await account.append(mailbox, [message] * 60)
    for column in (Column.RAW, Column.HEADER):
        slices = [rows async for rows in account.fetch(mailbox, EVERYTHING, (column,))]
        assert sum(map(len, slices)) == 60
        assert max(sum(len(row[1] or b"") for row in rows) for rows in slices) < 4 * 1024 * 1024


async def test_copy_keeps_flags_and_dates_and_shares_the_bytes(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Seen", "$Label", internaldate=1000, zone=60), incoming("\\Deleted")])
    before = await account.mailbox("INBOX")
    copied = await account.copy(mailbox, uids(1, 2, 3), "Archive")
    archive = await account.mailbox("Archive")
    assert (copied.sources, copied.targets, copied.uidvalidity) == (uids(1, 2), uids(1, 2), archive.uidvalidity)
    assert (archive.messages, archive.unseen, archive.deleted, archive.size) == (2, 1, 1, before.size)
    assert (archive.recent, archive.highestmodseq) == (2, copied.modseq)
    columns = (Column.INTERNALDATE, Column.CONTENT, Column.FLAGS)
    assert await fetched(account, archive.id, EVERYTHING, *columns) == await fetched(
        account, mailbox, EVERYTHING, *columns
    )
    assert "$Label" in (await account.select("Archive", claim_recent=False)).keywords
    assert await account.mailbox("INBOX") == before


async def test_copies_stay_when_the_original_is_removed(account: Account) -> None:
    mailbox = await inbox(account)
    octets = raw("kept", "x" * 300_000)
    await account.append(mailbox, [incoming(octets=octets)])
    for target in ("Archive", "Archive", "INBOX", "Trash"):
        await account.copy(mailbox, uids(1), target)
    number = await one(account, mailbox, 1, Column.CONTENT)
    assert isinstance(number, int)
    archive, trash = (await account.mailbox("Archive")).id, (await account.mailbox("Trash")).id
    await account.remove(mailbox, EVERYTHING)
    await account.delete("Trash")
    await account.remove(archive, uids(1))
    assert await content(account, archive, 2) == octets
    await account.move(archive, uids(2), "INBOX")
    assert await content(account, mailbox, 3) == octets
    await account.remove(mailbox, uids(3))
    assert [piece async for piece in account.content(ContentId(number), 0, 10)]
    await account.retention.forget(EVERYTHING)
    with pytest.raises(Refused) as caught:
        assert [piece async for piece in account.content(ContentId(number), 0, 10)]
    assert caught.value.code is Code.EXPUNGEISSUED
    assert trash


async def test_a_freed_content_is_never_taken_for_another(account: Account) -> None:
    mailbox = await fill(account, 1)
    number = await one(account, mailbox, 1, Column.CONTENT)
    await account.remove(mailbox, uids(1))
    await account.append(mailbox, [incoming(octets=raw("another"))])
    assert await one(account, mailbox, 2, Column.CONTENT) != number


async def test_copy_into_the_same_mailbox_ends(account: Account) -> None:
    mailbox = await fill(account, 3)
    copied = await account.copy(mailbox, EVERYTHING, "INBOX")
    assert (copied.sources, copied.targets) == (uids(1, 2, 3), uids(4, 5, 6))
    assert (await account.mailbox("INBOX")).messages == 6


async def test_copy_and_move_of_nothing_are_no_change(account: Account) -> None:
    mailbox = await fill(account, 1)
    before = await account.mailboxes()
    for transfer in (account.copy, account.move):
        copied = await transfer(mailbox, uids(7), "Archive")
        assert (copied.sources, copied.targets) == (Uids(), Uids())
    assert await account.mailboxes() == before


async def test_copy_and_move_to_nowhere_could_be_created(account: Account) -> None:
    mailbox = await fill(account, 1)
    for transfer in (account.copy, account.move):
        with pytest.raises(Refused) as caught:
            await transfer(mailbox, uids(1), "nowhere")
        assert caught.value.code is Code.TRYCREATE
    assert (await account.mailbox("INBOX")).messages == 1


async def test_move_is_one_change_of_two_mailboxes(account: Account) -> None:
    mailbox = await fill(account, 4, "\\Flagged")
    size = (await account.mailbox("INBOX")).size
    moved = await account.move(mailbox, uids(1, 3), "Archive")
    source, target = await account.mailbox("INBOX"), await account.mailbox("Archive")
    assert (moved.sources, moved.targets) == (uids(1, 3), uids(1, 2))
    assert source.highestmodseq == target.highestmodseq == moved.modseq
    assert (source.messages, target.messages, source.size + target.size) == (2, 2, size)
    assert await flags_of(account, target.id) == {1: {"\\Flagged"}, 2: {"\\Flagged"}}
    changes = await account.changes(mailbox, since=START, expunged_since=START, uidnext=5, claim_recent=False)
    assert changes.expunged == uids(1, 3)


async def test_move_into_the_same_mailbox_gives_new_uids(account: Account) -> None:
    mailbox = await fill(account, 3)
    before = await account.mailbox("INBOX")
    moved = await account.move(mailbox, uids(1, 2), "INBOX")
    after = await account.mailbox("INBOX")
    assert (moved.sources, moved.targets) == (uids(1, 2), uids(4, 5))
    assert (after.messages, after.size, after.unseen, after.recent) == (
        before.messages,
        before.size,
        before.unseen,
        before.recent,
    )
    assert (await account.select("INBOX", claim_recent=False)).uids == uids(3, 4, 5)


async def test_expunge_takes_the_deleted_alone(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(
        mailbox, [incoming("\\Deleted"), incoming(), incoming("\\Deleted", "\\Seen"), incoming("\\Deleted")]
    )
    some = await account.expunge(mailbox, uids(1, 2))
    assert some.uids == uids(1)
    rest = await account.expunge(mailbox, None)
    assert rest.uids == uids(3, 4)
    assert rest.modseq > some.modseq
    left = await account.mailbox("INBOX")
    assert (left.messages, left.unseen, left.deleted, left.size) == (1, 1, 0, len(raw()))
    nothing = await account.expunge(mailbox, None)
    assert (nothing.uids, nothing.modseq) == (Uids(), rest.modseq)
    assert await account.mailbox("INBOX") == left


async def test_remove_takes_any(account: Account) -> None:
    mailbox = await fill(account, 3)
    gone = await account.remove(mailbox, uids(2, 3, 4))
    assert gone.uids == uids(2, 3)
    assert (await account.mailbox("INBOX")).messages == 1


async def test_uids_are_never_used_twice(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.remove(mailbox, EVERYTHING)
    assert (await account.append(mailbox, [incoming()])).uids == uids(4)
