"""EMAILID, THREADID and MAILBOXID (RFC 8474)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.terms.numbers import MailboxId
from mektup.terms.search import HasEmailId, InThread, Not, Or
from tests.contract.mail import EVERYTHING, fetched, inbox, incoming, raw, uids

OBJECTID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def mail(name: str = "", *, after: Sequence[str] = (), reply_to: str = "", text: str = "at eight") -> bytes:
    """A message with that Message-ID, References and In-Reply-To."""
    fields = [
        f"Message-ID: <{name}@example.org>\r\n" if name else "",
        f"References: {' '.join(f'<{each}@example.org>' for each in after)}\r\n" if after else "",
        f"In-Reply-To: <{reply_to}@example.org>\r\n" if reply_to else "",
    ]
    return raw(text=text, more="".join(fields))


async def threads(account: Account, *messages: bytes) -> list[str]:
    """The THREADIDs of *messages*, which arrive in this order, one by one."""
    mailbox = await inbox(account)
    for octets in messages:
        await account.append(mailbox, [incoming(octets=octets)])
    return [threadid for _, threadid in await fetched(account, mailbox, EVERYTHING, Column.THREADID)]


async def ids(account: Account, mailbox: MailboxId, column: Column) -> list[str]:
    return [each for _, each in await fetched(account, mailbox, EVERYTHING, column)]


async def test_identifiers_are_of_their_alphabet_and_never_equal(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=mail("one")), incoming(octets=mail("two")), incoming()])
    found = await ids(account, mailbox, Column.EMAILID) + await ids(account, mailbox, Column.THREADID)
    found.append((await account.mailbox("INBOX")).mailboxid)
    assert all(map(OBJECTID.fullmatch, found))
    assert len(set(found)) == 7


async def test_a_conversation_has_one_thread(account: Account) -> None:
    one, two, three, other = await threads(
        account, mail("one"), mail("two", after=["one"]), mail("three", after=["one", "two"]), mail("other")
    )
    assert one == two == three != other


async def test_a_reply_to_a_reply_needs_no_references(account: Account) -> None:
    assert len(set(await threads(account, mail("1"), mail("2", reply_to="1"), mail("3", reply_to="2")))) == 1


@pytest.mark.parametrize("more", [{}, {"after": ["root"]}, {"reply_to": "root"}], ids=lambda more: "".join(more))
async def test_a_parent_that_arrives_after_its_child_joins_it(account: Account, more: dict[str, Any]) -> None:
    child, parent, root = await threads(account, mail("child", reply_to="parent"), mail("parent", **more), mail("root"))
    assert child == parent
    assert (parent == root) == bool(more)


async def test_siblings_whose_parent_never_arrives_are_one_thread(account: Account) -> None:
    first, second = await threads(account, mail("a", reply_to="gone"), mail("b", after=["gone"]))
    assert first == second


async def test_no_thread_ever_changes(account: Account) -> None:
    """Two threads that turn out to be one conversation keep their THREADIDs; the nearest reference decides."""
    old = await threads(account, mail("a"), mail("b", after=["x"]), mail("c", reply_to="a"))
    assert old[0] == old[2] != old[1]
    now = await threads(account, mail("d", after=["c", "b"]), mail("x"), mail("e", after=["b", "a"]))
    assert now == [*old, old[1], old[1], old[0]]


async def test_a_duplicate_and_a_copy_have_the_ids_of_the_original(account: Account) -> None:
    """Equal octets have equal EMAILIDs and so equal THREADIDs, even without any Message-ID."""
    mailbox = await inbox(account)
    for octets in (mail("a", after=["b"]), mail(after=["c", "d"]), mail()):
        await account.append(mailbox, [incoming(octets=octets)])
    await account.append(mailbox, [incoming(octets=mail("d", after=["elsewhere"]))])
    for octets in (mail("a", after=["b"]), mail(after=["c", "d"]), mail()):
        await account.append(mailbox, [incoming(octets=octets)])
    for column in (Column.EMAILID, Column.THREADID):
        found = await ids(account, mailbox, column)
        assert found[:3] == found[4:]
        assert len({*found[:3]}) == 3
        await account.create(f"to {column}")
        await account.copy(mailbox, uids(1, 2, 3), f"to {column}")
        await account.rename(f"to {column}", f"for {column}")
        assert await ids(account, (await account.mailbox(f"for {column}")).id, column) == found[:3]
    await account.move(mailbox, uids(1, 2), "Sent")
    assert await ids(account, (await account.mailbox("Sent")).id, Column.THREADID) == found[:2]


async def test_a_message_that_comes_back_has_its_thread_again(account: Account) -> None:
    mailbox = await inbox(account)
    (before,) = await threads(account, mail("b", after=["a"]))
    await account.remove(mailbox, uids(1))
    assert await threads(account, mail("b", after=["a"])) == [before]


async def test_search_by_ids(account: Account) -> None:
    mailbox = await inbox(account)
    one, *_ = await threads(account, mail("one"), mail("other"), mail("two", after=["one"]), mail("other"))
    emailid = (await ids(account, mailbox, Column.EMAILID))[1]
    for key, found in (
        (InThread(one), uids(1, 3)),
        (HasEmailId(emailid), uids(2, 4)),
        (Or(InThread(one), HasEmailId(emailid)), uids(1, 2, 3, 4)),
        (Not(InThread(one)), uids(2, 4)),
    ):
        assert (await account.search(mailbox, key, EVERYTHING)).uids == found
    for unknown in ("T", "M", "T00", one.upper(), emailid.upper(), emailid, "T" + "0" * 16, "F1", "Tx" + "0" * 15):
        assert not (await account.search(mailbox, InThread(unknown), EVERYTHING)).uids
    for unknown in (one, one.replace("T", "M"), emailid[:-1], emailid + "0", emailid.upper(), "M" + "z" * 40):
        assert not (await account.search(mailbox, HasEmailId(unknown), EVERYTHING)).uids


async def test_mail_that_refers_to_much_is_bounded(account: Account) -> None:
    many = [str(number) for number in range(1000)]
    found = await threads(account, mail("last", after=many), *(mail(name) for name in ("0", "500", "999")))
    assert found[0] == found[1] == found[3] != found[2]


async def test_a_mailboxid_belongs_to_the_mailbox_and_not_to_its_name(account: Account) -> None:
    made = await account.create("work")
    await account.rename("work", "done")
    assert (await account.mailbox("done")).mailboxid == made.mailboxid
    assert (await account.create("work")).mailboxid != made.mailboxid
    await account.delete("done")
    assert (await account.create("done")).mailboxid != made.mailboxid
