"""The log of an account: which changes a caller gets, and when tombstones are removed."""

from __future__ import annotations

import pytest

from mektup.store.mailbox_changes import GoneMailbox, LoggedMailbox, LoggedSubscription
from mektup.store.rules.account_log import KEPT_TOMBSTONES, SPARE_TOMBSTONES, LogSince, are_many
from mektup.terms.numbers import MailboxId, ModSeq, UidValidity


def mailbox(number: int, *, created: int, changed: int) -> LoggedMailbox:
    modseqs = ModSeq(created), ModSeq(changed)
    return LoggedMailbox(MailboxId(number), f"box {number}", UidValidity(1), f"F{number}", None, True, *modseqs)


def gone(number: int, *, created: int, gone: int) -> GoneMailbox:
    return GoneMailbox(MailboxId(number), f"box {number}", f"F{number}", ModSeq(created), ModSeq(gone))


def name(text: str, *, subscribed: bool, changed: int) -> LoggedSubscription:
    return LoggedSubscription(text, subscribed, ModSeq(changed))


def since(modseq: int, *, floor: int = 5, now: int = 20) -> LogSince:
    return LogSince(ModSeq(modseq), ModSeq(floor), ModSeq(now))


@pytest.mark.parametrize(("modseq", "whole"), [(0, True), (4, True), (5, False), (20, False), (21, True)])
def test_the_log_reaches_from_the_floor_to_now(modseq: int, whole: bool) -> None:
    assert since(modseq).whole == since(modseq).told().whole == whole


def test_only_what_changed_later_is_told_in_the_order_of_changes() -> None:
    boxes = [mailbox(each, created=6, changed=changed) for each, changed in ((1, 12), (2, 10), (3, 11), (4, 12))]
    names = [
        name("b", subscribed=True, changed=12),
        name("a", subscribed=False, changed=13),
        name("c", subscribed=True, changed=9),
    ]
    told = since(10).told(boxes, (), names)
    assert [each.id for each in told.mailboxes] == [3, 1, 4]
    assert [each.name for each in told.subscriptions] == ["b", "a"]
    assert (told.modseq, told.whole) == (20, False)


def test_only_deleted_mailboxes_that_the_caller_may_know_are_listed() -> None:
    tombstones = [
        gone(1, created=0, gone=12),
        gone(2, created=10, gone=11),
        gone(3, created=11, gone=12),
        gone(4, created=6, gone=10),
    ]
    assert [each.id for each in since(10).told((), tombstones).gone] == [2, 1]


def test_a_whole_answer_has_older_mailboxes_and_no_tombstones() -> None:
    boxes = [mailbox(1, created=0, changed=0), mailbox(2, created=6, changed=7)]
    names = [name("a", subscribed=True, changed=0), name("b", subscribed=False, changed=7)]
    told = since(4).told(boxes, [gone(3, created=0, gone=9)], names)
    assert [each.id for each in told.mailboxes] == [1, 2]
    assert [each.name for each in told.subscriptions] == ["a"]
    assert told.gone == ()


def test_tombstones_are_many_beyond_those_kept_and_some_to_spare() -> None:
    assert not are_many(KEPT_TOMBSTONES + SPARE_TOMBSTONES)
    assert are_many(KEPT_TOMBSTONES + SPARE_TOMBSTONES + 1)
