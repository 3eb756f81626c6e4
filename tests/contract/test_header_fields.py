"""Selected header fields as a column, for any number of fields and of requests."""

from __future__ import annotations

import pytest

from mektup.message.headers import select_fields
from mektup.store.arrival import prepare
from mektup.store.columns import Column, Form, HeaderFields
from mektup.store.interface import Account, Incoming
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import NumberSet, Uids
from tests.contract.mail import EVERYTHING, fetched, inbox, uids
from tests.peer.corpus import messages

HEADERS = (
    b"Subject: plain\r\nFrom: a@example.org\r\n\r\n",
    b"subject: folded\r\n\tmore\r\n and more\r\nsUBJECT : again\r\n\r\n",
    b"X-Subject: no\r\nSubject: NUL \0 and \xff\xfe\r\nSubject:\r\n\r\n",
    b"Subject: \r bare CR\r\rSubject: not a line\r\n\r\n",
    b"no colon\r\n Subject: of no field\r\nFrom\t: b@example.org\r\n\r\n",
    b"\r\nSubject: in the body\r\n",
    b"Subject: the end is missing",
    b"From: c@example.org\r\nSubject: no body\r\n",
    b"Subject: long " + b"x" * 4096 + b"\r\n\r\n",
    b"To: nobody asks for this\r\n\r\n",
    b"",
)
CHOICE = HeaderFields(frozenset({b"subject", b"from"}))
OTHER = HeaderFields(frozenset({b"to", b"x-subject", b""}))


def chosen(raw: bytes, choice: HeaderFields) -> bytes:
    """The selected fields as in RFC 9051 §6.4.5.1, after the size of the literal; no literal has NUL (§4.3.1)."""
    fields = select_fields(raw[: prepare(raw).header_size], choice.names, exclude=False)
    return b"{%d}\r\n" % len(fields) + fields.replace(b"\0", b"\x80")


async def fill(account: Account, count: int) -> tuple[MailboxId, list[bytes]]:
    """Puts messages into INBOX, and returns them."""
    kinds = [*HEADERS, *messages().values()]
    raw = [kinds[number % len(kinds)] for number in range(count)]
    mailbox = await inbox(account)
    await account.append(mailbox, [Incoming(prepare(each)) for each in raw])
    return mailbox, raw


@pytest.mark.parametrize("count", [3, 800])
async def test_fields_are_those_selected_from_each_header(account: Account, count: int) -> None:
    mailbox, raw = await fill(account, count)
    expected = [(uid, chosen(each, CHOICE), len(each)) for uid, each in enumerate(raw, 1)]
    for _ in range(2):
        assert await fetched(account, mailbox, EVERYTHING, CHOICE, Column.SIZE) == expected
        assert await fetched(account, mailbox, uids(1, 3), CHOICE, Column.SIZE) == [expected[0], expected[2]]
    both = [(uid, chosen(each, OTHER), chosen(each, CHOICE)) for uid, each in enumerate(raw, 1)]
    assert await fetched(account, mailbox, EVERYTHING, OTHER, CHOICE) == both


async def test_a_fetch_may_ask_many_choices(account: Account) -> None:
    mailbox, raw = await fill(account, 300)
    choices = [HeaderFields(frozenset({name, b"x-%d" % number})) for number in range(20) for name in (b"from", b"to")]
    for some in (choices[:4], choices):
        expected = [(uid, *(chosen(each, choice) for choice in some)) for uid, each in enumerate(raw, 1)]
        assert await fetched(account, mailbox, EVERYTHING, *some) == expected


async def test_fields_are_right_after_arrivals_and_expunges(account: Account) -> None:
    mailbox, raw = await fill(account, 400)
    there = dict(enumerate(raw, 1))
    for gone in ((), (1, 2, 200), range(250, 400, 2)):
        await account.remove(mailbox, NumberSet.of_sorted(list(gone)) if gone else Uids())
        (came,) = (await account.append(mailbox, [Incoming(prepare(HEADERS[0]))])).uids
        there = {uid: each for uid, each in there.items() if uid not in gone} | {came: HEADERS[0]}
        expected = [(uid, chosen(each, CHOICE)) for uid, each in there.items()]
        for _ in range(2):
            assert await fetched(account, mailbox, EVERYTHING, CHOICE) == expected


async def test_fields_are_part_of_lines_too(account: Account) -> None:
    mailbox = await inbox(account)
    odd = [
        b"Subject: %b \0 \xff %s " + str(number).encode() + b'\r\nFrom: "50 % off" <%s@example.org>\r\n\r\n'
        for number in range(300)
    ]
    await account.append(mailbox, [Incoming(prepare(each), frozenset({"\\Seen"})) for each in odd])
    ((_, word),) = await fetched(account, mailbox, uids(1), Column.FLAGS)
    other = HeaderFields(frozenset({b"from"}))
    pieces = (b"* %b ", None, b" ", CHOICE, Column.FLAGS, Column.ENVELOPE, other, b"%d)\r\n")
    envelopes = [prepare(each).envelope for each in odd]
    expected = [
        b"* %%b %d " % (uid + 6) + chosen(each, CHOICE) + b"100 %" + envelope + chosen(each, other) + b"%d)\r\n"
        for uid, each, envelope in zip(range(1, 301), odd, envelopes, strict=True)
    ]
    told = 0
    for first, last in ((1, 300), (1, 100), (129, 256), (50, 250), (7, 7)):
        for _ in range(2):
            wanted = Uids.span(first, last)
            form = Form(pieces, ((word, b"100 %"),))
            async for some, lines, _ in account.lines(mailbox, wanted, form, lambda uid: uid + 6):
                assert lines in (None, b"".join(expected[uid - 1] for uid in some))
                told += lines is not None
    assert told >= 4, "most of them are to be had so"


async def test_fields_are_right_in_each_mailbox_also_in_one_made_again(account: Account) -> None:
    mailbox, raw = await fill(account, 300)
    await account.copy(mailbox, Uids.span(101, 300), "Archive")
    archive = (await account.mailbox("Archive")).id
    for _ in range(2):
        assert [row[1] for row in await fetched(account, archive, EVERYTHING, CHOICE)] == [
            chosen(each, CHOICE) for each in raw[100:]
        ]
        assert len(await fetched(account, mailbox, EVERYTHING, CHOICE)) == 300
    await account.delete("Archive")
    anew = await account.create("Archive")
    await account.copy(mailbox, Uids.span(1, 200), "Archive")
    assert [row[1] for row in await fetched(account, anew.id, EVERYTHING, CHOICE)] == [
        chosen(each, CHOICE) for each in raw[:200]
    ]
