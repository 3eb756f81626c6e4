"""Mailboxes: names, levels, special uses, and the state after DELETE and RENAME."""

from __future__ import annotations

import pytest

from mektup.store.interface import Account
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES
from mektup.terms.limits import Limits
from mektup.terms.texts import NO_SUCH_MAILBOX
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, START, fetched, fill, inbox, incoming, uids


async def names(account: Account) -> list[str]:
    return [mailbox.name for mailbox in await account.mailboxes()]


async def refused(code: Code, asking: object) -> None:
    with pytest.raises(Refused) as caught:
        await asking  # type: ignore[misc]
    assert caught.value.code is code


async def test_a_new_account_has_the_usual_mailboxes_subscribed(account: Account) -> None:
    there = {mailbox.name: mailbox.special_use for mailbox in await account.mailboxes()}
    assert there == dict(NEW_ACCOUNT_MAILBOXES)
    assert await account.subscriptions() == frozenset(there)


async def test_inbox_comes_first_and_parents_before_children(account: Account) -> None:
    for name in ("b", "a-b", "a/z", "inbox/below", "a"):
        await account.create(name) if name != "a" else None
    listed = [name for name in await names(account) if name not in dict(NEW_ACCOUNT_MAILBOXES)]
    assert listed == ["INBOX/below", "a", "a/z", "a-b", "b"]
    assert (await names(account))[0] == "INBOX"


async def test_a_new_mailbox_is_empty_and_has_numbers_of_its_own(account: Account) -> None:
    made = await account.create("work")
    assert (made.messages, made.unseen, made.deleted, made.size, made.recent, made.uidnext) == (0, 0, 0, 0, 0, 1)
    assert made.selectable
    assert made.special_use is None
    assert made.highestmodseq >= 1
    others = [mailbox for mailbox in await account.mailboxes() if mailbox.name != "work"]
    assert made.mailboxid not in {mailbox.mailboxid for mailbox in others}
    assert all(made.uidvalidity > mailbox.uidvalidity for mailbox in others)


async def test_mail_goes_to_a_name_until_that_is_another_mailbox(account: Account) -> None:
    await account.create("work/now")
    work, now = (await account.mailbox("work")).id, (await account.mailbox("work/now")).id
    assert (await account.target("work"), await account.target("work/now")) == (work, now)
    await account.append(work, [incoming()])
    assert await account.target("work") == work
    await account.rename("work/now", "later")
    assert await account.target("later") == now
    await refused(Code.NONEXISTENT, account.target("work/now"))
    await account.create("work/now")
    assert await account.target("work/now") not in (work, now)
    await account.delete("work")
    await refused(Code.NONEXISTENT, account.target("work"))
    await account.create("work")
    assert await account.target("work") not in (work, now)
    assert await account.target("inBox") == await inbox(account)


async def test_create_makes_the_levels_above(account: Account) -> None:
    await account.create("a/b/c")
    assert [name for name in await names(account) if name.startswith("a")] == ["a", "a/b", "a/b/c"]


async def test_names_are_compared_in_nfc_and_inbox_in_any_case(account: Account) -> None:
    await account.create("cafe\N{COMBINING ACUTE ACCENT}")
    assert (await account.mailbox("caf\N{LATIN SMALL LETTER E WITH ACUTE}")).name == "café"
    await refused(Code.ALREADYEXISTS, account.create("café"))
    assert (await account.mailbox("inBox")).name == "INBOX"
    await account.create("Inbox/kids")
    assert (await account.mailbox("INBOX/kids")).name == "INBOX/kids"


@pytest.mark.parametrize(
    "name",
    ["", "/", "a//b", "/a", "a/", "a\x00b", "a\x7fb", "a\u2028b", "x" * 1001, "/".join("x" * 65), "a\udc80"],
)
async def test_names_that_cannot_be(account: Account, name: str) -> None:
    await refused(Code.CANNOT, account.create(name))
    await account.create("there")
    await refused(Code.CANNOT, account.rename("there", name))


async def test_an_existing_mailbox_cannot_be_created(account: Account) -> None:
    await refused(Code.ALREADYEXISTS, account.create("INBOX"))
    await account.create("work")
    await refused(Code.ALREADYEXISTS, account.create("work"))


async def test_a_special_use_belongs_to_one_mailbox(account: Account) -> None:
    made = await account.create("Everything", special_use="\\All")
    assert made.special_use == "\\All"
    await refused(Code.USEATTR, account.create("Sent too", special_use="\\Sent"))
    await account.delete("Sent")
    assert (await account.create("Gesendet", special_use="\\Sent")).special_use == "\\Sent"


async def test_the_number_of_mailboxes_is_limited(opened: OpenStore) -> None:
    store = await opened(limits=Limits(mailboxes=8))
    account = await store.account(await store.directory.add("linda", {}))
    await account.create("a/b")
    await refused(Code.LIMIT, account.create("c"))
    assert len(await names(account)) == 8


async def test_all_commands_refuse_a_missing_mailbox_with_the_same_text(account: Account) -> None:
    for asking in (
        account.mailbox("none"),
        account.select("none", claim_recent=False),
        account.delete("none"),
        account.rename("none", "some"),
    ):
        with pytest.raises(Refused, match=str(NO_SUCH_MAILBOX)):
            await asking


async def test_delete_removes_the_messages(account: Account) -> None:
    made = await account.create("work")
    await account.append(made.id, [incoming(), incoming()])
    await account.delete("work")
    assert "work" not in await names(account)
    for asking in (
        account.modseq(made.id),
        account.changes(made.id, since=START, expunged_since=START, uidnext=1, claim_recent=False),
        account.append(made.id, [incoming()]),
        account.expunge(made.id, None),
        account.remove(made.id, EVERYTHING),
        fetched(account, made.id, EVERYTHING),
    ):
        await refused(Code.NONEXISTENT, asking)


async def test_a_name_made_again_is_another_mailbox(account: Account) -> None:
    before = await account.create("work")
    await account.append(before.id, [incoming()])
    await account.delete("work")
    after = await account.create("work")
    assert after.id != before.id
    assert after.mailboxid != before.mailboxid
    assert after.uidvalidity > before.uidvalidity
    assert after.messages == 0
    assert after.highestmodseq > before.highestmodseq


async def test_inbox_cannot_be_deleted(account: Account) -> None:
    await refused(Code.CANNOT, account.delete("inbox"))


async def test_a_mailbox_with_children_leaves_its_name(account: Account) -> None:
    parent = await account.create("a")
    await account.create("a/b")
    await account.append(parent.id, [incoming()])
    await account.delete("a")
    left = await account.mailbox("a")
    assert not left.selectable
    assert left.messages == 0
    await refused(Code.NONEXISTENT, account.select("a", claim_recent=True))
    await refused(Code.NONEXISTENT, account.modseq(parent.id))
    await refused(Code.HASCHILDREN, account.delete("a"))
    await refused(Code.TRYCREATE, account.copy(await inbox(account), uids(1), "a"))
    again = await account.create("a")
    assert again.selectable
    assert again.uidvalidity > parent.uidvalidity
    await account.delete("a")
    await account.delete("a/b")
    await account.delete("a")
    assert "a" not in await names(account)


async def test_rename_takes_children_messages_and_identity_along(account: Account) -> None:
    made = await account.create("a", special_use="\\All")
    child = await account.create("a/b")
    await account.create("ab")
    await account.append(made.id, [incoming("\\Seen")])
    await account.rename("a", "x/y")
    renamed = await account.mailbox("x/y")
    assert (renamed.id, renamed.mailboxid, renamed.uidvalidity) == (made.id, made.mailboxid, made.uidvalidity)
    assert (renamed.messages, renamed.special_use) == (1, "\\All")
    assert (await account.mailbox("x/y/b")).id == child.id
    assert [name for name in await names(account) if name[0] in "ax"] == ["ab", "x", "x/y", "x/y/b"]


async def test_rename_refuses(account: Account) -> None:
    await account.create("a/b")
    await account.create("c")
    await refused(Code.ALREADYEXISTS, account.rename("a", "c"))
    await refused(Code.ALREADYEXISTS, account.rename("a", "inbox"))
    await refused(Code.ALREADYEXISTS, account.rename("a", "a"))
    await refused(Code.CANNOT, account.rename("a", "a/b/c"))
    await refused(Code.CANNOT, account.rename("a", "x" * 999))
    assert "a/b" in await names(account)


async def test_rename_of_inbox_moves_its_messages_and_leaves_it(account: Account) -> None:
    await account.create("INBOX/kids")
    mailbox = await fill(account, 3, "\\Flagged")
    before = await account.mailbox("INBOX")
    await account.rename("inbox", "old/mail")
    after = await account.mailbox("INBOX")
    assert (after.id, after.uidvalidity, after.messages, after.size) == (mailbox, before.uidvalidity, 0, 0)
    assert after.uidnext == before.uidnext
    moved = await account.mailbox("old/mail")
    assert (moved.messages, moved.size) == (before.messages, before.size)
    assert "INBOX/kids" in await names(account)
    await refused(Code.ALREADYEXISTS, account.rename("INBOX", "old"))


async def test_subscriptions_are_names_of_their_own(account: Account) -> None:
    await account.subscribe("not there")
    await account.subscribe("not there")
    assert "not there" in await account.subscriptions()
    await account.create("there")
    assert "there" not in await account.subscriptions()
    await account.subscribe("there")
    await account.rename("there", "elsewhere")
    await account.delete("elsewhere")
    assert {"there", "not there"} <= await account.subscriptions()
    await account.unsubscribe("there")
    await account.unsubscribe("there")
    assert "there" not in await account.subscriptions()
    await account.unsubscribe("inbox")
    assert "INBOX" not in await account.subscriptions()
    await refused(Code.CANNOT, account.subscribe("a\x00"))
