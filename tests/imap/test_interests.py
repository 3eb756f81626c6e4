"""What several groups of a NOTIFY mean for a mailbox."""

from __future__ import annotations

import pytest

from mektup.imap.sync.interests import NOTHING, Interests
from mektup.wire.requests import Notify
from tests.wire.parsing import parsed

NAME, SUBSCRIPTION = "MailboxName", "SubscriptionChange"


def interests(groups: str) -> Interests:
    request = parsed(f"a NOTIFY SET {groups}")
    assert isinstance(request, Notify)
    return Interests(request.groups)


@pytest.mark.parametrize(
    ("groups", "name", "subscribed", "expected"),
    [
        ("(personal (MailboxName))", "a", False, {NAME}),
        ("(inboxes (MailboxName))", "a/b", False, {NAME}),
        ("(subscribed (MailboxName))", "a", False, set()),
        ("(subscribed (MailboxName))", "a", True, {NAME}),
        ("(mailboxes a (MailboxName))", "a", False, {NAME}),
        ("(mailboxes a (MailboxName))", "a/b", False, set()),
        ("(subtree a (MailboxName))", "a/b/c", False, {NAME}),
        ("(subtree a/b (MailboxName))", "a", False, set()),
        ("(subtree a (MailboxName))", "ab", False, set()),
        ("(mailboxes inbox (MailboxName))", "INBOX", False, {NAME}),
        ("(mailboxes (a b) (MailboxName)) (subtree a (SubscriptionChange))", "a", False, {NAME, SUBSCRIPTION}),
        ("(mailboxes a (MailboxName)) (mailboxes a (SubscriptionChange))", "a", False, {NAME, SUBSCRIPTION}),
        ("(personal (MailboxName)) (mailboxes a NONE)", "a", False, set()),
        ("(personal (MailboxName)) (mailboxes a NONE)", "a/b", False, {NAME}),
        ("(subtree a NONE) (personal (MailboxName))", "a/b/c", True, set()),
        ("(personal NONE) (mailboxes a (MailboxName))", "a", False, {NAME}),
    ],
)
def test_the_events_of_a_mailbox(groups: str, name: str, subscribed: bool, expected: set[str]) -> None:
    assert {event.value for event in interests(groups).of(name, subscribed=subscribed)} == expected


def test_whether_other_mailboxes_are_watched() -> None:
    for groups in (
        "(selected NONE)",
        "(selected (MessageNew MessageExpunge))",
        "(mailboxes a NONE)",
        "(personal NONE)",
    ):
        assert not interests(groups).are_of_others
    for groups in (
        "(subtree a (MailboxName))",
        "(subscribed (MailboxName))",
        "(selected NONE) (inboxes (MailboxName))",
    ):
        assert interests(groups).are_of_others


def test_the_selected_mailbox() -> None:
    assert interests("(personal (MessageNew MessageExpunge))").selected == NOTHING
    assert not interests("(selected NONE)").selected.messages
    selected = interests("(selected (MessageNew MessageExpunge))").selected
    assert (selected.messages, selected.flags, selected.at_once) == (True, False, True)
    delayed = interests("(selected-delayed (MessageNew (FLAGS) MessageExpunge FlagChange))").selected
    assert (delayed.messages, delayed.flags, delayed.at_once, len(delayed.items)) == (True, True, False, 1)
