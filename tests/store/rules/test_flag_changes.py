"""STORE: several orders one after the other, UNCHANGEDSINCE, and changes of many messages."""

from __future__ import annotations

from itertools import count, product

import pytest

from mektup.store.interface import FlagOrder, FlagsStored
from mektup.store.rules.counters import DELETED, SEEN, Box
from mektup.store.rules.flag_changes import changed_since, changes_flag, gained, store_in_turn
from mektup.store.rules.keyword_sets import Flags
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids
from tests.store.rules.dictionary import DictionarySets, Rows


class Mailbox:
    """Flag words and modseqs of some messages; HIGHESTMODSEQ is 10."""

    def __init__(self, *words: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self.box = Box(MailboxId(1), UidValidity(1), len(words) + 1, ModSeq(10), 1, "")
        self.words = {Uid(uid): word for uid, word in enumerate(words, 1)}
        self.modseqs = {uid: ModSeq(10) for uid in self.words}
        self.sets = DictionarySets()
        self.limits = limits
        self.taken: list[int] = []

    def store(self, *orders: FlagOrder) -> list[FlagsStored]:
        """Returns the reported changes; records which modseqs were taken."""

        def take(wanted: int) -> range:
            self.taken = list(range(11, 11 + wanted))
            return range(11, 11 + wanted)

        stored, self.altered = store_in_turn(
            Rows(), self.box, self.words, self.modseqs, orders, self.sets, self.limits, take
        )
        return stored


def order(how: FlagChange, flag: str, *uids: int) -> FlagOrder:
    return FlagOrder(Uids.of(Uid(uid) for uid in uids), how, frozenset({flag}))


def test_each_order_that_changes_something_takes_a_modseq_of_its_own() -> None:
    mailbox = Mailbox(0, SEEN)
    first, second, third = mailbox.store(
        order(FlagChange.ADD, "\\Seen", 1, 2, 99),
        order(FlagChange.ADD, "\\Seen", 1),
        order(FlagChange.REMOVE, "\\Seen", 1, 2),
    )
    assert mailbox.taken == [11, 12]
    assert (list(first.changed), first.previous, first.modseq) == ([1], 10, 11)
    assert (list(second.changed), second.previous, second.modseq) == ([], 11, 11)
    assert (list(third.changed), third.previous, third.modseq) == ([1, 2], 11, 12)
    assert mailbox.altered == {1, 2}
    assert mailbox.words == {1: 0, 2: 0}


def test_each_order_reports_the_flags_after_it() -> None:
    mailbox = Mailbox(0, SEEN)
    first, second = mailbox.store(order(FlagChange.ADD, "\\Seen", 1, 2), order(FlagChange.REPLACE, "\\Deleted", 2))
    assert first.flags == [(1, SEEN, 11), (2, SEEN, 10)]
    assert second.flags == [(2, DELETED, 12)]


def test_counters_follow() -> None:
    mailbox = Mailbox(0, SEEN, DELETED)
    mailbox.store(order(FlagChange.REPLACE, "\\Seen", 1, 2, 3))
    assert (mailbox.box.unseen, mailbox.box.deleted) == (-2, -1)


def test_an_order_without_effect_takes_no_modseq_and_no_keyword() -> None:
    mailbox = Mailbox(SEEN)
    (stored,) = mailbox.store(order(FlagChange.ADD, "\\Seen", 1))
    (none_there,) = mailbox.store(order(FlagChange.ADD, "$New", 99))
    assert mailbox.taken == []
    assert (stored.modseq, none_there.modseq) == (10, 10)
    assert (none_there.keywords, mailbox.box.keywords, mailbox.altered) == ((), "", set())


def test_keywords_that_are_given_are_used_and_told() -> None:
    mailbox = Mailbox(0, 0)
    first, second = mailbox.store(order(FlagChange.ADD, "$New", 1), order(FlagChange.ADD, "$NEW", 2))
    assert (first.keywords, second.keywords, mailbox.box.keywords) == (("$New",), ("$New",), "$New")


def test_too_many_keywords_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        Mailbox(0, limits=Limits(keywords_per_mailbox=0)).store(order(FlagChange.ADD, "$New", 1))
    assert caught.value.code is Code.LIMIT


def test_unchangedsince_leaves_alone_what_changed_later() -> None:
    rows = [(Uid(1), 0, ModSeq(5)), (Uid(2), 0, ModSeq(6)), (Uid(3), 0, ModSeq(7))]
    assert list(changed_since(rows, ModSeq(6))) == [3]
    assert list(changed_since(rows, ModSeq(0))) == [1, 2, 3]
    assert list(changed_since(rows, ModSeq(7))) == []


@pytest.mark.parametrize("how", FlagChange)
@pytest.mark.parametrize("given", [("\\Seen",), ("\\Deleted",), ("\\Seen", "\\Deleted"), ()])
def test_the_gain_of_many_messages_is_the_sum_of_their_gains(how: FlagChange, given: tuple[str, ...]) -> None:
    operand, sets, numbers = Flags.of(given), DictionarySets(), count(1)
    words = {Uid(next(numbers)): word for word, _ in product((0, SEEN, DELETED, SEEN | DELETED), range(3))}
    after = {uid: sets.changed_word(Rows(), word, how, operand) for uid, word in words.items()}
    for flag in (SEEN, DELETED):
        having, then = (sum(bool(word & flag) for word in each.values()) for each in (words, after))
        expected = then - having
        assert changes_flag(flag, how, operand) or expected == 0
        if changes_flag(flag, how, operand):
            assert gained(flag, how, operand, having, len(words)) == expected
