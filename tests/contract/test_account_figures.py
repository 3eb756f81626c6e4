"""What lists of accounts show: the last login, and what each account holds."""

from __future__ import annotations

from mektup.store.interface import Store
from mektup.terms.numbers import AccountId
from mektup.terms.quota import Resource
from tests.contract.mail import fill


async def test_the_latest_login_is_kept(store: Store) -> None:
    linda, ada = [await store.directory.add(name, {}) for name in ("linda", "ada")]
    assert await store.directory.last_logins([linda.id, ada.id]) == {}
    await store.directory.note_logins({linda.id: 1000, AccountId("0" * 32): 1000})
    await store.directory.note_logins({linda.id: 900})
    assert await store.directory.last_logins([linda.id, ada.id, AccountId("0" * 32)]) == {linda.id: 1000}
    await store.directory.note_logins({linda.id: 1100, ada.id: 5})
    assert await store.directory.last_logins([linda.id, ada.id]) == {linda.id: 1100, ada.id: 5}


async def test_a_login_goes_with_the_account(store: Store) -> None:
    linda = await store.directory.add("linda", {})
    await store.directory.note_logins({linda.id: 1000})
    await store.directory.remove("linda")
    again = await store.directory.add("linda", {})
    assert await store.directory.last_logins([linda.id, again.id]) == {}


async def test_what_accounts_hold(store: Store) -> None:
    linda, ada, eve = [await store.directory.add(name, {}) for name in ("linda", "ada", "eve")]
    mail = await store.account(linda)
    await fill(mail, 3)
    await mail.quota.set_limits({Resource.STORAGE: 10_000})
    await store.directory.remove("eve")
    for _ in range(2):
        found = await store.usages([linda.id, ada.id, eve.id])
        assert found.keys() == {linda.id, ada.id}, "the account that is gone is left out"
        assert found[linda.id] == await mail.quota.state()
        assert found[ada.id].usage[Resource.MESSAGE] == 0
        assert found[ada.id].usage[Resource.MAILBOX] == 6
        # the second round sees what has changed meanwhile
        await fill(mail, 2)
        await mail.quota.set_limits({Resource.MESSAGE: 7})
    assert (await store.usages([linda.id]))[linda.id] == await mail.quota.state()


async def test_mail_that_is_removed_is_not_held(store: Store) -> None:
    linda = await store.directory.add("linda", {})
    mail = await store.account(linda)
    mailbox = await fill(mail, 3, "\\Deleted")
    assert (await store.usages([linda.id]))[linda.id].usage[Resource.MESSAGE] == 3
    await mail.expunge(mailbox, None)
    assert (await store.usages([linda.id]))[linda.id].usage[Resource.MESSAGE] == 0
