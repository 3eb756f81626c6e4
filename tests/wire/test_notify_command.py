"""NOTIFY, from text to requests, and its errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.mailbox_events import OF_MESSAGES, Event
from mektup.terms.mailbox_sources import NAMED, OF_SELECTED, MailboxSource, SourceKind
from mektup.terms.names import fold_inbox
from mektup.wire.fetch_items import Item
from mektup.wire.mailbox_names import encode
from mektup.wire.mailbox_sources import NOTIFY_KINDS
from mektup.wire.requests import EventGroup, Notify
from tests.wire.parsing import complaint, parsed

NEW_AND_EXPUNGE = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE})


def notify(line: str, *literals: bytes) -> Notify:
    request = parsed(line, *literals)
    assert isinstance(request, Notify)
    return request


def test_none() -> None:
    assert notify("a NOTIFY NONE") == notify("a notify none ") == Notify(b"a", ())


def test_set() -> None:
    personal = EventGroup(MailboxSource(SourceKind.PERSONAL), frozenset({Event.MAILBOX_NAME}))
    assert notify("a NOTIFY SET (PERSONAL (MailboxName))") == Notify(b"a", (personal,))
    assert notify("a notify set status (personal (mailboxname))") == Notify(b"a", (personal,), status=True)
    nothing = EventGroup(MailboxSource(SourceKind.SELECTED_DELAYED), frozenset())
    assert notify("a NOTIFY SET (selected-delayed NONE) (personal (MAILBOXNAME))") == Notify(b"a", (nothing, personal))


def test_items_of_new_messages() -> None:
    (group,) = notify("a NOTIFY SET (SELECTED (MessageNew (UID FLAGS UID) MessageExpunge))").groups
    assert group == EventGroup(MailboxSource(SourceKind.SELECTED), NEW_AND_EXPUNGE, (Item.UID, Item.FLAGS))
    (group,) = notify(
        "a NOTIFY SET (selected (MessageExpunge MessageNew (BODY.PEEK[HEADER.FIELDS (to {})])))", b"x"
    ).groups
    assert len(group.items) == 1


def test_a_name_in_a_literal() -> None:
    (group,) = notify("a NOTIFY SET (mailboxes ({} b) (MailboxName))", b"a b").groups
    assert group.source.names == ("a b", "b")


def test_an_event_that_is_not_known_is_for_the_session_to_refuse() -> None:
    (group,) = notify("a NOTIFY SET (personal (MailboxName SomethingElse))").groups
    assert group.has_unknown
    assert group.events == {Event.MAILBOX_NAME}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a NOTIFY", "SET or NONE"),
        ("a NOTIFY ALL", "SET or NONE at column 10"),
        ("a NOTIFY SET", "STATUS, or a list"),
        ("a NOTIFY SET personal", "a list such as (INBOXES (MessageNew MessageExpunge)) at column 14"),
        ("a NOTIFY SET (personal)", "events such as"),
        ("a NOTIFY SET (personal MailboxName)", "events such as (MessageNew MessageExpunge), or NONE at column 24"),
        ("a NOTIFY SET (personal ())", "an event such as MessageNew"),
        ("a NOTIFY SET (personal (MailboxName)", ") at the end"),
        ("a NOTIFY SET (personal (MailboxName)) x", "a list such as"),
        ("a NOTIFY SET (personal (MessageNew))", "the first two together, or all three"),
        ("a NOTIFY SET (personal (FlagChange))", "the first two together, or all three"),
        ("a NOTIFY SET (selected (MailboxName))", "events of messages only"),
        ("a NOTIFY SET (personal (MessageNew (UID) MessageExpunge))", "Only SELECTED and SELECTED-DELAYED can have"),
        ("a NOTIFY SET (selected NONE) (selected NONE)", "for SELECTED or SELECTED-DELAYED at column 30"),
        ("a NOTIFY SET (selected NONE) (inboxes NONE) (Selected-Delayed NONE)", "SELECTED-DELAYED at column 45"),
    ],
)
def test_mistakes(line: str, expected: str) -> None:
    assert expected in complaint(line)
    assert " at column " in complaint(line)


def test_its_length_has_a_limit() -> None:
    line = "a NOTIFY SET (mailboxes ({} b) (MailboxName))"
    most = len(line) - 2 + 10
    limits = Limits(notify_bytes=most)
    assert parsed(line, b"x" * 10, limits=limits)
    with pytest.raises(Refused) as error:
        parsed(line, b"x" * 11, limits=limits)
    assert error.value.code is Code.NOTIFICATIONOVERFLOW


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs")), max_size=9)


def source(kind: SourceKind, names: list[str]) -> tuple[bytes, MailboxSource]:
    """The text of a specifier, and its value."""
    if kind not in NAMED:
        return kind.value.encode(), MailboxSource(kind)
    written = b" ".join(encode(name, utf8=False) for name in names)
    return b"%b (%b)" % (kind.value.encode(), written), MailboxSource(
        kind, tuple(dict.fromkeys(map(fold_inbox, names)))
    )


@st.composite
def groups(draw: st.DrawFn) -> tuple[bytes, EventGroup]:
    """The text of a group, and its value."""
    kind = draw(st.sampled_from(sorted(NOTIFY_KINDS, key=lambda kind: kind.value)))
    text, value = source(kind, draw(st.lists(NAMES, min_size=1, max_size=3)))
    events = draw(st.frozensets(st.sampled_from(Event)))
    if kind in OF_SELECTED:
        events &= OF_MESSAGES
    if events & OF_MESSAGES:
        events |= NEW_AND_EXPUNGE
    words = b" ".join(event.value.encode() for event in events)
    return b"(%b %b)" % (text, b"(%b)" % words if events else b"NONE"), EventGroup(value, events)


@given(st.lists(groups(), min_size=1, max_size=4), st.booleans())
def test_every_set_is_read_as_it_was_written(given_groups: list[tuple[bytes, EventGroup]], status: bool) -> None:
    text = b" ".join([b"a NOTIFY SET", *([b"STATUS"] if status else []), *(text for text, _ in given_groups)])
    try:
        request = parsed(text)
    except ClientError:
        assert sum(group.source.kind in OF_SELECTED for _, group in given_groups) > 1
        return
    assert request == Notify(b"a", tuple(group for _, group in given_groups), status)
