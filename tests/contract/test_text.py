"""``Account.text``: what a form makes of many messages is what fetch finds, one behind the other."""

from __future__ import annotations

from msgspec.structs import replace

from mektup.store.arrival import prepare
from mektup.store.interface import FORM_BYTES, SLICE_ROWS, Account, Column, Form, Incoming
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import Uids
from tests.contract.mail import fetched, fill, inbox, incoming, raw, uids

COLUMNS = (
    Column.UID,
    Column.INTERNALDATE,
    Column.SIZE,
    Column.ENVELOPE,
    Column.BODY,
    Column.BODYSTRUCTURE,
    Column.BODY_REV1,
    Column.BODYSTRUCTURE_REV1,
    Column.EMAILID,
    Column.MODSEQ,
)
FORM = Form((b"no ", None, *(piece for column in COLUMNS for piece in (b" '%\0\xff ", column)), b"\r\n"))


def octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def expected(account: Account, mailbox: MailboxId, wanted: Uids, number: int) -> tuple[bytes, ModSeq]:
    rows = await fetched(account, mailbox, wanted, *COLUMNS)
    lines = [
        b"no %d" % at + b"".join(b" '%\0\xff " + octets(value) for value in row[1:]) + b"\r\n"
        for at, row in enumerate(rows, number)
    ]
    return b"".join(lines), max(row[-1] for row in rows)


async def test_it_is_what_fetch_finds(account: Account) -> None:
    mailbox = await fill(account, 5)
    for first, last, number in ((1, 5, 1), (2, 4, 90), (3, 3, 1)):
        wanted = Uids.span(first, last)
        assert await account.text(mailbox, wanted, FORM, number) == await expected(account, mailbox, wanted, number)


async def test_any_octets_stay_as_they_are(account: Account) -> None:
    mailbox = await inbox(account)
    odd = replace(prepare(raw()), envelope=bytes(range(256)), bodystructure=b"\0\xfe''\xff\xc3", body=b"")
    await account.append(mailbox, [Incoming(odd, frozenset()), incoming(octets=raw("smörgås"))])
    text = await account.text(mailbox, uids(1, 2), FORM, 1)
    assert text == await expected(account, mailbox, uids(1, 2), 1)
    assert bytes(range(256)) in text[0]


async def test_flags_are_written_by_their_words(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Seen"), incoming(), incoming("\\Seen", "$Label")])
    found = [word for _, word in await fetched(account, mailbox, uids(1, 2, 3), Column.FLAGS)]
    words = tuple(zip(found, (b"read", b"", b"r\xe9ad'"), strict=True))
    form = Form((Column.FLAGS, b";"), words)
    text = await account.text(mailbox, uids(1, 2, 3), form, 1)
    assert text is not None
    assert text[0] == b"read;;r\xe9ad';"
    stored = await account.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"\\Draft"}))
    assert await account.text(mailbox, uids(1, 2, 3), form, 1) is None
    assert await account.text(mailbox, uids(1), form, 1) == (b"read;", text[1])
    assert await account.text(mailbox, uids(1, 2), Form((b".",)), 1) == (b"..", stored.modseq)
    assert await account.text(mailbox, uids(1), Form((Column.FLAGS,)), 1) is None


async def test_none_where_one_is_gone(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.remove(mailbox, uids(2))
    assert await account.text(mailbox, uids(1, 2, 3), FORM, 1) is None
    assert await account.text(mailbox, uids(3), FORM, 1) == await expected(account, mailbox, uids(3), 1)
    assert await account.text(MailboxId(mailbox + 100), uids(1), FORM, 1) is None


async def test_none_where_a_column_is_wide(account: Account) -> None:
    mailbox = await inbox(account)
    for size in (FORM_BYTES, FORM_BYTES + 1):
        arrival = replace(prepare(raw()), bodystructure=b"x" * size)
        await account.append(mailbox, [Incoming(arrival, frozenset())])
    form = Form((Column.BODYSTRUCTURE,))
    text = await account.text(mailbox, uids(1), form, 1)
    assert text is not None
    assert text[0] == b"x" * FORM_BYTES
    assert await account.text(mailbox, uids(1, 2), form, 1) is None


async def test_a_whole_slice_in_order(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming()] * SLICE_ROWS)
    # so that rows lie elsewhere than where they were put first
    stored = await account.store_flags(mailbox, Uids.of(range(1, SLICE_ROWS, 7)), FlagChange.ADD, frozenset({"\\Seen"}))  # type: ignore[type-var]
    text = await account.text(mailbox, Uids.span(1, SLICE_ROWS), Form((None, b" ", Column.UID, b"\n")), 5)
    assert text == (b"".join(b"%d %d\n" % (uid + 4, uid) for uid in range(1, SLICE_ROWS + 1)), stored.modseq)
