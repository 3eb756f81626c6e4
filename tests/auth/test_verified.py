"""A correct password is remembered for a while, only for that account and that secret."""

import pytest

from mektup.auth.verified import MOST_REMEMBERED, Verified
from mektup.store.interface import AccountEntry
from mektup.terms.numbers import AccountId


def _entry(number: str) -> AccountEntry:
    return AccountEntry(AccountId(number), "linda", {})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_remembers_for_a_while(clock: Clock) -> None:
    verified = Verified(300, clock=clock)
    assert not verified.holds(_entry("a1"), "{X}secret", b"password")
    verified.remember(_entry("a1"), "{X}secret", b"password")
    assert verified.holds(_entry("a1"), "{X}secret", b"password")
    clock.now = 299.0
    assert verified.holds(_entry("a1"), "{X}secret", b"password")
    clock.now = 300.0
    assert not verified.holds(_entry("a1"), "{X}secret", b"password")


def test_account_secret_and_password_must_all_be_the_same(clock: Clock) -> None:
    verified = Verified(300, clock=clock)
    verified.remember(_entry("a1"), "{X}secret", b"password")
    assert not verified.holds(_entry("a2"), "{X}secret", b"password")
    assert not verified.holds(_entry("a1"), "{X}other", b"password")
    assert not verified.holds(_entry("a1"), "{X}secret", b"passworD")


def test_the_borders_between_the_parts_matter(clock: Clock) -> None:
    verified = Verified(300, clock=clock)
    verified.remember(_entry("a1"), "{X}secret", b"password")
    assert not verified.holds(_entry("a1{"), "X}secret", b"password")
    assert not verified.holds(_entry("a1"), "{X}secretp", b"assword")


def test_zero_seconds_is_never(clock: Clock) -> None:
    verified = Verified(0, clock=clock)
    verified.remember(_entry("a1"), "{X}secret", b"password")
    assert not verified.holds(_entry("a1"), "{X}secret", b"password")


def test_the_table_is_bounded(clock: Clock) -> None:
    verified = Verified(300, clock=clock)
    verified.remember(_entry("a1"), "{X}secret", b"first")
    for number in range(MOST_REMEMBERED):
        verified.remember(_entry("a1"), "{X}secret", b"%d" % number)
    assert not verified.holds(_entry("a1"), "{X}secret", b"first")
    assert verified.holds(_entry("a1"), "{X}secret", b"0")
