"""Names of mailboxes: which are valid, and the rules of CREATE, DELETE and RENAME."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mektup.store.interface import Mailbox
from mektup.store.rules.mailbox_names import (
    check_name,
    inferiors,
    listed_order,
    new_mailboxid,
    renamed,
    require_creatable,
    require_deletable,
    require_few_mailboxes,
    require_few_subscriptions,
    require_renamable,
    superiors,
)
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity

LIMITS = Limits(mailboxes=3, mailbox_name_bytes=20, mailbox_depth=3)


def mailbox(name: str, *, selectable: bool = True) -> Mailbox:
    return Mailbox(MailboxId(1), name, UidValidity(1), Uid(1), ModSeq(1), 0, 0, 0, 0, 0, "F1", None, selectable)


def refusal(asking: Callable[[], object]) -> Code | None:
    try:
        asking()
    except Refused as refused:
        return refused.code
    return None


@pytest.mark.parametrize("name", ["a", "a/b/c", "ab c", "é", "x" * 20, "ş" * 10])
def test_names_that_can_be(name: str) -> None:
    check_name(name, LIMITS)


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "/a", "a/", "a\0", "a\x7f", "a\u2028", "a\udc80", "a/b/c/d", "x" * 21, "ş" * 11]
)
def test_names_that_cannot(name: str) -> None:
    assert refusal(lambda: check_name(name, LIMITS)) is Code.CANNOT


def test_superiors_come_topmost_first() -> None:
    assert superiors("a/b/c") == ["a", "a/b"]
    assert superiors("a") == []


def test_inferiors_lie_between_two_names() -> None:
    low, high = inferiors("a")
    between = [name for name in ("a", "a-b", "a/", "a/b", "a/z/z", "a0", "ab", "b") if low <= name < high]
    assert between == ["a/", "a/b", "a/z/z"]


def test_inbox_is_listed_first_and_parents_before_children() -> None:
    names = ["b", "a-b", "a/z", "INBOX/below", "a", "INBOX", "INBOXES"]
    assert sorted(names, key=listed_order) == ["INBOX", "INBOX/below", "INBOXES", "a", "a/z", "a-b", "b"]


def test_an_existing_mailbox_cannot_be_created_but_a_mere_name_can() -> None:
    selectable, name_alone = mailbox("a"), mailbox("a", selectable=False)
    assert refusal(lambda: require_creatable(selectable, None, use_is_taken=False)) is Code.ALREADYEXISTS
    assert refusal(lambda: require_creatable(name_alone, None, use_is_taken=False)) is None
    assert refusal(lambda: require_creatable(None, None, use_is_taken=False)) is None
    assert refusal(lambda: require_creatable(None, "\\Sent", use_is_taken=True)) is Code.USEATTR


def test_the_number_of_mailboxes_and_subscriptions_is_limited() -> None:
    for require in (require_few_mailboxes, require_few_subscriptions):
        assert refusal(lambda require=require: require(3, LIMITS)) is None  # type: ignore[misc]
        assert refusal(lambda require=require: require(4, LIMITS)) is Code.LIMIT  # type: ignore[misc]


def test_what_may_be_deleted() -> None:
    assert refusal(lambda: require_deletable(mailbox("INBOX"), has_inferiors=False)) is Code.CANNOT
    assert refusal(lambda: require_deletable(mailbox("INBOX/below"), has_inferiors=True)) is None
    name_alone = mailbox("a", selectable=False)
    assert refusal(lambda: require_deletable(name_alone, has_inferiors=True)) is Code.HASCHILDREN
    assert refusal(lambda: require_deletable(name_alone, has_inferiors=False)) is None


def test_what_may_be_renamed() -> None:
    assert refusal(lambda: require_renamable("a", "b", is_taken=False)) is None
    assert refusal(lambda: require_renamable("a", "b", is_taken=True)) is Code.ALREADYEXISTS
    assert refusal(lambda: require_renamable("a", "a/b", is_taken=False)) is Code.CANNOT
    assert refusal(lambda: require_renamable("a", "ab", is_taken=False)) is None


def test_inferiors_are_renamed_along_and_none_gets_a_name_that_cannot_be() -> None:
    assert renamed("a", "x/y", ["a", "a/b"], LIMITS) == ["x/y", "x/y/b"]
    assert refusal(lambda: renamed("a", "x/y", ["a", "a/b/c"], LIMITS)) is Code.CANNOT


def test_no_two_mailboxids_are_the_same() -> None:
    made = {new_mailboxid() for _ in range(100)}
    assert len(made) == 100
    assert all(each.isascii() and each.isalnum() for each in made)
