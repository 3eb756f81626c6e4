"""``Account.replace`` (RFC 8508): a message is added and another one removed, both or none."""

from __future__ import annotations

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import MailboxId, Uid
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, fetched, fill, flags_of, inbox, incoming, raw, uids


async def test_in_one_mailbox(account: Account) -> None:
    mailbox = await fill(account, 3, "\\Seen")
    before = await account.mailbox("INBOX")
    done = await account.replace(mailbox, Uid(2), mailbox, incoming("\\Draft", "work", octets=raw("new")))
    now = await account.mailbox("INBOX")
    assert (done.uids, done.uidvalidity, done.modseq) == (uids(4), now.uidvalidity, now.highestmodseq)
    assert now.highestmodseq == before.highestmodseq + 1
    assert (now.messages, now.unseen, now.uidnext) == (3, 1, 5)
    assert now.size == before.size - len(raw("number 1")) + len(raw("new"))
    assert await flags_of(account, mailbox) == {1: {"\\Seen"}, 3: {"\\Seen"}, 4: {"\\Draft", "work"}}
    changes = await account.touched(mailbox, before.highestmodseq)
    assert (changes.changed, changes.expunged) == (uids(4), uids(2))


async def test_into_another_mailbox(account: Account) -> None:
    mailbox, sent = await fill(account, 2), await account.target("Sent")
    done = await account.replace(mailbox, Uid(1), sent, incoming(octets=raw("sent")))
    assert [uid for (uid,) in await fetched(account, mailbox, EVERYTHING)] == [2]
    assert await fetched(account, sent, EVERYTHING, Column.SIZE) == [(1, len(raw("sent")))]
    assert done.uids == uids(1)
    assert {each.highestmodseq for each in await account.mailboxes() if each.name in ("INBOX", "Sent")} == {done.modseq}


@pytest.mark.parametrize("uid", [2, 7])
async def test_a_message_that_is_gone_is_not_replaced(account: Account, uid: int) -> None:
    mailbox = await fill(account, 3)
    await account.remove(mailbox, uids(2))
    before = await account.mailbox("INBOX")
    with pytest.raises(Refused) as refusal:
        await account.replace(mailbox, Uid(uid), mailbox, incoming())
    assert refusal.value.code is Code.EXPUNGEISSUED
    assert await account.mailbox("INBOX") == before


async def test_what_cannot_be_added_removes_nothing(opened: OpenStore) -> None:
    store = await opened(limits=DEFAULT_LIMITS.__class__(message_bytes=len(raw())))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming()])
    before = await account.mailbox("INBOX")
    for target, octets, code in (
        (mailbox, raw("longer than before"), Code.TOOBIG),
        (MailboxId(99), raw(), Code.NONEXISTENT),
    ):
        with pytest.raises(Refused) as refusal:
            await account.replace(mailbox, Uid(1), target, incoming(octets=octets))
        assert refusal.value.code is code
        assert await account.mailbox("INBOX") == before
