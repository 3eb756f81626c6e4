"""Sessions whose secrets are no longer valid are dismissed; sessions whose hash was only renewed stay."""

from __future__ import annotations

import pytest

from mektup.auth.authenticator import Authenticator
from mektup.auth.connections import ALERT_SECONDS, AccountConnection, AccountConnections
from mektup.auth.texts import ACCOUNT_REMOVED, PASSWORD_CHANGED
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.numbers import AccountId
from tests.support.memory import Clock, MemoryPeer
from tests.support.passwords import quick_secrets


class House:
    """Sessions that have logged in."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.clock = Clock()
        self.connections = AccountConnections(100, clock=lambda: self.clock.now)

    async def enter(self, name: str) -> MemoryPeer:
        entry = await self.directory.find(name)
        assert entry is not None
        peer, _ = self.seat(entry)
        return peer

    def seat(self, entry: AccountEntry) -> tuple[MemoryPeer, AccountConnection]:
        peer = MemoryPeer(self.clock, secure=True, by_octet=False)
        connection = self.connections.open(entry.id)
        connection.occupy(entry, peer)
        return peer, connection

    async def review(self, *spared: AccountId) -> None:
        await self.connections.review(self.directory, spared)


@pytest.fixture
def house(directory: Directory) -> House:
    return House(directory)


async def test_a_changed_password_ends_all_sessions_of_that_account(house: House) -> None:
    linda, again, helene = [await house.enter(name) for name in ("linda", "LINDA", "hélène@example.org")]
    await house.review()
    await house.directory.set_secrets("linda", quick_secrets("another"))
    await house.review()
    assert (linda.dismissal, again.dismissal, helene.dismissal) == (PASSWORD_CHANGED, PASSWORD_CHANGED, None)
    # a session that logs in with the new password stays
    new = await house.enter("linda")
    await house.review()
    assert new.dismissal is None


async def test_removing_an_account_ends_its_sessions_even_if_the_name_is_used_again(house: House) -> None:
    linda = await house.enter("linda")
    await house.directory.remove("linda")
    await house.directory.add("linda", quick_secrets("Pa$$123"))
    await house.review()
    assert linda.dismissal == ACCOUNT_REMOVED


async def test_a_session_that_has_ended_is_left_alone(house: House) -> None:
    entry = await house.directory.find("linda")
    assert entry is not None
    peer, connection = house.seat(entry)
    connection.close()
    await house.directory.remove("linda")
    await house.review()
    assert peer.dismissal is None
    assert house.connections.count(entry.id) == 0


async def test_a_login_during_a_change_of_the_password_is_reviewed(house: House) -> None:
    entry = await house.directory.find("linda")
    assert entry is not None
    await house.directory.set_secrets("linda", quick_secrets("another"))
    await house.review()
    # it begins before the change, and ends between two reviews
    house.clock.advance(ALERT_SECONDS / 2)
    late, _ = house.seat(entry)
    await house.review()
    assert late.dismissal == PASSWORD_CHANGED


async def test_an_unchanged_directory_is_not_read(house: House) -> None:
    await house.enter("linda")
    await house.review()
    house.clock.advance(2 * ALERT_SECONDS)
    await house.enter("linda")

    class Unasked:
        def state(self) -> bytes | None:
            return house.directory.state()

    await house.connections.review(Unasked())  # type: ignore[arg-type]


async def test_a_renewed_hash_ends_no_session(house: House) -> None:
    entry = await house.directory.add("ada", {"password": "{PLAIN}secret"})
    early, _ = house.seat(entry)
    new = quick_secrets("secret")
    await house.directory.renew_secrets(entry.id, entry.secrets, new)
    # the renewal is first known as running, then as done
    await house.review(entry.id)
    house.connections.renewed(entry.secrets, new)
    await house.review()
    late, _ = house.seat(entry)
    await house.review()
    assert (early.dismissal, late.dismissal) == (None, None)
    await house.directory.set_secrets("ada", quick_secrets("another"))
    await house.review()
    assert (early.dismissal, late.dismissal) == (PASSWORD_CHANGED, PASSWORD_CHANGED)


async def test_one_unchanged_secret_is_enough(house: House) -> None:
    linda = await house.enter("linda")
    secrets = dict(quick_secrets("Pa$$123"))
    await house.directory.set_secrets("linda", {**secrets, "password": "{PLAIN}Pa$$123"})
    await house.review()
    assert linda.dismissal is None


async def test_the_authenticator_reviews_its_sessions(authenticator: Authenticator, directory: Directory) -> None:
    peer = MemoryPeer(Clock(), secure=True, by_octet=False)
    entry = await authenticator.login(b"linda", b"Pa$$123", peer)
    authenticator.connections.open(entry.id).occupy(entry, peer)
    await authenticator.review()
    assert peer.dismissal is None
    await directory.set_secrets("linda", quick_secrets("another"))
    await authenticator.review()
    assert peer.dismissal == PASSWORD_CHANGED


async def test_an_account_without_a_password_may_stay(house: House) -> None:
    """Its user has logged in by a certificate."""
    await house.directory.add("ada", {})
    ada = await house.enter("ada")
    await house.review()
    assert ada.dismissal is None
    await house.directory.set_secrets("ada", quick_secrets("a first password"))
    await house.review()
    assert ada.dismissal == PASSWORD_CHANGED


async def test_a_hash_that_was_renewed_several_times_ends_no_session(house: House) -> None:
    linda = await house.enter("linda")
    for _ in range(3):
        entry = await house.directory.find("linda")
        assert entry is not None
        new = quick_secrets("Pa$$123")
        assert await house.directory.renew_secrets(entry.id, entry.secrets, new)
        house.connections.renewed(entry.secrets, new)
    await house.review()
    assert linda.dismissal is None
    await house.directory.set_secrets("linda", quick_secrets("another"))
    await house.review()
    assert linda.dismissal == PASSWORD_CHANGED
