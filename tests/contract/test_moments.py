"""An account read at one moment: nothing that happens meanwhile is in it."""

from __future__ import annotations

import pytest

from mektup.store.interface import Account, Store
from mektup.store.moments import KeptMessage, Moment
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, START, fill, inbox, incoming, raw, uids

ADD = FlagChange.ADD


async def messages(moment: Moment, mailbox: MailboxId, wanted: Uids = EVERYTHING) -> list[KeptMessage]:
    return [each async for some in moment.messages(mailbox, wanted) for each in some]


async def octets(moment: Moment, content: ContentId) -> bytes:
    return b"".join([piece async for piece in moment.content(content)])


async def test_it_has_what_the_account_has(account: Account, store: Store) -> None:
    reader = (await store.directory.add("barney", {})).id
    await account.create("Projects/Old", special_use="\\All")
    await account.subscribe("Elsewhere")
    await account.access_lists.change("Projects", reader, RightsChange("", frozenset("lr")))
    await account.quota.set_limits({Resource.MESSAGE: 7, Resource.STORAGE: None})
    projects = (await account.mailbox("Projects")).id
    await account.metadata.set_entries(projects, account.id, {"/private/comment": b"mine", "/shared/comment": b"ours"})
    await account.metadata.set_entries(MailboxId(0), account.id, {"/private/vendor/x": b"\x00"})
    async with account.snapshot() as moment:
        state = moment.state
    assert [each.mailbox for each in state.mailboxes] == await account.mailboxes()
    assert state.subscriptions == await account.subscriptions()
    assert "Elsewhere" in state.subscriptions
    assert state.own_limits == {Resource.MESSAGE: 7, Resource.STORAGE: None}
    (named,) = [each for each in state.mailboxes if each.mailbox.name == "Projects"]
    assert named.access == {reader: frozenset("lr")}
    nobody = AccountId("")
    assert named.metadata == {(nobody, "/shared/comment"): b"ours", (account.id, "/private/comment"): b"mine"}
    assert state.metadata == {(account.id, "/private/vendor/x"): b"\x00"}
    assert state.uidvalidity == max(each.mailbox.uidvalidity for each in state.mailboxes)
    assert state.modseq >= max(each.mailbox.highestmodseq for each in state.mailboxes)


async def test_messages_have_everything_that_another_store_would_need(account: Account) -> None:
    mailbox = await inbox(account)
    one, other = incoming("\\Seen", "$Work", internaldate=1_000_000, zone=-90), incoming(octets=raw("b"))
    appended = await account.append(mailbox, [one, other])
    async with account.snapshot() as moment:
        first, second = await messages(moment, mailbox)
        assert moment.flag_names(first.word) == ("\\Seen", "$Work")
        assert moment.flag_names(second.word) == ()
        assert (first.uid, first.modseq, first.size) == (1, appended.modseq, one.arrival.size)
        assert (first.internaldate, first.zone) == (1_000_000, -90)
        assert second.saved >= second.internaldate > 1_600_000_000
        assert (first.digest, second.digest) == (one.arrival.digest, other.arrival.digest)
        assert moment.state.mailboxes[0].keywords == ("$Work",)
        found = [pair async for some in moment.contents([second.content, first.content]) for pair in some]
        assert found == [(second.content, other.arrival.raw), (first.content, one.arrival.raw)]
        assert await octets(moment, second.content) == other.arrival.raw


async def test_what_happens_meanwhile_is_not_in_it(account: Account) -> None:
    mailbox = await fill(account, 200)
    async with account.snapshot() as moment:
        before = await messages(moment, mailbox)
        await account.append(mailbox, [incoming()])
        await account.store_flags(mailbox, uids(1, 2), ADD, frozenset({"$New"}))
        await account.move(mailbox, uids(3), "Trash")
        await account.remove(mailbox, uids(4, 5))
        assert await messages(moment, mailbox) == before
        assert [each.uid for each in before] == list(range(1, 201))
        (found,) = [each for each in moment.state.mailboxes if each.mailbox.id == mailbox]
        assert (found.mailbox.messages, found.mailbox.uidnext) == (200, 201)
        assert await octets(moment, before[4].content) == raw("number 4")


async def test_a_large_message_is_streamed(account: Account) -> None:
    mailbox, large = await inbox(account), raw("large", "x" * 600_000)
    await account.append(mailbox, [incoming(octets=large), incoming(octets=raw("small"))])
    async with account.snapshot() as moment:
        there = await messages(moment, mailbox)
        found = [pair async for some in moment.contents([each.content for each in there]) for pair in some]
        assert found == [(there[0].content, None), (there[1].content, raw("small"))]
        assert await octets(moment, there[0].content) == large


async def test_it_tells_what_changed_since_a_modseq(account: Account) -> None:
    mailbox = await fill(account, 10)
    since = await account.modseq(mailbox)
    await account.store_flags(mailbox, uids(2), ADD, frozenset({"\\Seen"}))
    await account.remove(mailbox, uids(5, 6))
    await account.append(mailbox, [incoming()])
    async with account.snapshot() as moment:
        await account.remove(mailbox, uids(9))
        assert await moment.touched(mailbox, since) == (uids(2, 11), uids(5, 6))
        assert [each.uid for each in await messages(moment, mailbox, uids(2, 5, 11, 12))] == [2, 11]
        changed, _ = await moment.touched(mailbox, START)
        assert changed == Uids.of(map(Uid, [1, 2, 3, 4, 7, 8, 9, 10, 11]))


async def test_a_copy_has_the_same_octets(account: Account) -> None:
    mailbox = await fill(account, 1)
    await account.copy(mailbox, uids(1), "Trash")
    trash = (await account.mailbox("Trash")).id
    async with account.snapshot() as moment:
        (one,), (other,) = await messages(moment, mailbox), await messages(moment, trash)
    assert (one.content, one.digest) == (other.content, other.digest)


async def test_a_mailbox_that_is_not_there_has_no_changes(account: Account) -> None:
    async with account.snapshot() as moment:
        with pytest.raises(Refused) as refused:
            await moment.touched(MailboxId(99), ModSeq(0))
    assert refused.value.code is Code.NONEXISTENT


async def test_the_account_goes_on_after_it(account: Account) -> None:
    for _ in range(3):
        async with account.snapshot() as moment:
            await messages(moment, await inbox(account))
    assert (await account.append(await inbox(account), [incoming()])).uids == uids(1)
