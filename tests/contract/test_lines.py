"""``Account.lines``: the lines that an engine builds have the values that fetch returns, whatever its slices are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mektup.store.arrival import prepare
from mektup.store.columns import AnyColumn, Column, Form, Lines
from mektup.store.interface import Account, Incoming
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import NumberSet, Uids
from tests.contract.mail import fetched, fill, inbox, incoming, raw, uids

COLUMNS = (
    Column.UID,
    Column.INTERNALDATE,
    Column.SAVEDATE,
    Column.SIZE,
    Column.ENVELOPE,
    Column.BODY,
    Column.BODYSTRUCTURE,
    Column.BODY_REV1,
    Column.BODYSTRUCTURE_REV1,
    Column.EMAILID,
    Column.THREADID,
    Column.PREVIEW,
    Column.MODSEQ,
)
FORM = Form((b"no ", None, *(piece for column in COLUMNS for piece in (b" '%\0\xff ", column)), b"\r\n"))


async def built(account: Account, mailbox: MailboxId, wanted: Uids, form: Form, number: int = 1) -> list[Lines]:
    """The slices. Each equals what fetch returns, or is left to fetch. *number* is the sequence number of UID 1."""
    slices = [lines async for lines in account.lines(mailbox, wanted, form, lambda uid: uid + number - 1)]
    assert [uid for some, _, _ in slices for uid in some] == list(wanted)
    for some, lines, modseq in slices:
        if lines is not None:
            rows = await fetched(account, mailbox, some, *columns_of(form), Column.MODSEQ)
            assert [row[0] for row in rows] == list(some)
            assert lines == b"".join(line(form, row[1:-1], row[0] + number - 1) for row in rows)
            assert modseq == max(row[-1] for row in rows)
    return slices


def columns_of(form: Form) -> list[AnyColumn]:
    return [piece for piece in form.pieces if piece is not None and not isinstance(piece, bytes)]


def line(form: Form, row: tuple[object, ...], number: int) -> bytes:
    values = iter(row)
    words = dict(form.words)

    def spelled(piece: bytes | AnyColumn | None) -> bytes:
        if isinstance(piece, bytes):
            return piece
        value = number if piece is None else next(values)
        if piece is Column.FLAGS:
            assert isinstance(value, int)
            return words[value]
        return value if isinstance(value, bytes) else str(value).encode()

    return b"".join(map(spelled, form.pieces))


async def whole(account: Account, mailbox: MailboxId, wanted: Uids, form: Form, number: int = 1) -> bytes | None:
    """All lines; None if some are left to fetch."""
    slices = await built(account, mailbox, wanted, form, number)
    return None if any(lines is None for _, lines, _ in slices) else b"".join([lines or b"" for _, lines, _ in slices])


async def test_the_lines_of_ordinary_messages_are_built(account: Account) -> None:
    mailbox = await fill(account, 5)
    for first, last, number in ((1, 5, 1), (2, 4, 90), (3, 3, 1)):
        told = await whole(account, mailbox, Uids.span(first, last), FORM, number)
        assert told is not None
        assert told.startswith(b"no %d " % (first + number - 1))


async def test_any_octets_stay_as_they_are(account: Account) -> None:
    mailbox = await inbox(account)
    odd = replace(prepare(raw()), envelope=bytes(range(256)), bodystructure=b"\0\xfe''\xff\xc3", body=b"")
    await account.append(mailbox, [Incoming(odd, frozenset()), incoming(octets=raw("smörgås"))])
    assert bytes(range(256)) in (await whole(account, mailbox, uids(1, 2), FORM) or b"")


async def test_flags_are_written_by_their_words(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Seen"), incoming(), incoming("\\Seen", "$Label")])
    found = [word for _, word in await fetched(account, mailbox, uids(1, 2, 3), Column.FLAGS)]
    words = tuple(zip(found, (b"read", b"", b"r\xe9ad'"), strict=True))
    form = Form((Column.FLAGS, b";"), words)
    assert await whole(account, mailbox, uids(1, 2, 3), form) == b"read;;r\xe9ad';"
    await account.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"\\Draft"}))
    assert await whole(account, mailbox, uids(1, 2, 3), form) is None
    assert await whole(account, mailbox, uids(1), form) == b"read;"
    assert await whole(account, mailbox, uids(1, 2), Form((b".",))) == b".."
    assert await whole(account, mailbox, uids(1), Form((Column.FLAGS,))) is None


async def test_a_slice_with_a_message_that_is_gone_is_left_to_fetch(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.remove(mailbox, uids(2))
    assert await whole(account, mailbox, uids(1, 2, 3), FORM) is None
    assert await whole(account, mailbox, uids(3), FORM) is not None


async def test_a_mailbox_that_is_gone_is_left_to_fetch(account: Account) -> None:
    gone = MailboxId(await inbox(account) + 100)
    assert [lines async for lines in account.lines(gone, uids(1), FORM, int)] == [(uids(1), None, 0)]
    with pytest.raises(Refused) as caught:
        await fetched(account, gone, uids(1), *COLUMNS)
    assert caught.value.code is Code.NONEXISTENT


async def test_wide_columns_are_built_or_left_to_fetch(account: Account) -> None:
    mailbox = await inbox(account)
    sizes = [1000, *(4096 + more for more in range(-1, 3)), 70_000, 300_000]
    arrivals = [replace(prepare(raw()), bodystructure=b"x" * size) for size in sizes]
    await account.append(mailbox, [Incoming(arrival, frozenset()) for arrival in arrivals])
    form = Form((b"<", Column.BODYSTRUCTURE, b">"))
    assert await whole(account, mailbox, uids(1), form) == b"<" + b"x" * 1000 + b">"
    for uid in range(2, len(sizes) + 1):
        assert await whole(account, mailbox, uids(uid), form) in (None, b"<" + b"x" * sizes[uid - 1] + b">")
    await built(account, mailbox, Uids.span(1, len(sizes)), form)


async def test_many_messages_in_order(account: Account) -> None:
    mailbox, count = await inbox(account), 1100
    await account.append(mailbox, [incoming()] * count)
    # so that rows are not in their first place in the file
    seventh: Uids = NumberSet.of_sorted(range(1, count, 7))
    await account.store_flags(mailbox, seventh, FlagChange.ADD, frozenset({"\\Seen"}))
    form = Form((None, b" ", Column.UID, b"\n"))
    told = await whole(account, mailbox, Uids.span(1, count), form, 5)
    assert told == b"".join(b"%d %d\n" % (uid + 4, uid) for uid in range(1, count + 1))
    # a line may also be long because of the text between its columns
    assert await whole(account, mailbox, Uids.span(1, count), Form((b"x" * 1000,))) == b"x" * 1000 * count


@pytest.mark.parametrize("wanted", [uids(1, 3, 4, 9), Uids([(1, 3), (7, 700), (702, 702), (710, 1100)])])
async def test_numbers_of_any_set(account: Account, wanted: Uids) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming()] * 1100)
    for some, lines, _ in await built(account, mailbox, wanted, Form((None, b" ")), 3):
        assert lines in (None, b"".join(b"%d " % (uid + 2) for uid in some))


async def test_a_reader_may_stop_at_any_slice(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming()] * 1100)
    parts = account.lines(mailbox, Uids.span(1, 1100), Form((None, b"\n")), int)
    some, lines, _ = await anext(parts)
    await account.remove(mailbox, Uids.span(1, 1100))
    await parts.aclose()
    assert lines == b"".join(b"%d\n" % uid for uid in some)
