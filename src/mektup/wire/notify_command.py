"""The grammar of NOTIFY (RFC 5465 §8)."""

from __future__ import annotations

from typing import Final

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.mailbox_events import OF_MESSAGES, Event
from mektup.terms.mailbox_sources import OF_SELECTED
from mektup.wire import texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_grammar import fetch_items
from mektup.wire.fetch_items import FetchItem
from mektup.wire.mailbox_sources import NOTIFY_KINDS, mailbox_source
from mektup.wire.requests import EventGroup, Notify

_EVENTS: Final = {event.value.upper().encode("ascii"): event for event in Event}
_IN_PAIRS: Final = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE})


def notify(cursor: CommandCursor, tag: bytes) -> Notify:
    """notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE"), event-groups one or more.

    Raises Refused(NOTIFICATIONOVERFLOW) if it is too long: the session keeps what it says.
    """
    octets = sum(map(len, cursor.fragments)) + sum(
        len(literal) if isinstance(literal, bytes) else literal.size for literal in cursor.literals
    )
    if octets > cursor.limits.notify_bytes:
        raise Refused(Code.NOTIFICATIONOVERFLOW, texts.NOTIFY_TOO_LONG.of(octets=cursor.limits.notify_bytes))
    cursor.expect_space(texts.NOTIFY_ARGUMENTS)
    if _word(cursor, b"NONE"):
        cursor.expect_end()
        return Notify(tag, ())
    if not _word(cursor, b"SET"):
        raise cursor.wrong(texts.NOTIFY_ARGUMENTS)
    cursor.expect_space(texts.STATUS_OR_GROUP)
    status = _word(cursor, b"STATUS")
    if status:
        cursor.expect_space(texts.AN_EVENT_GROUP)
    groups = _groups(cursor)
    cursor.expect_end()
    return Notify(tag, groups, status)


def _groups(cursor: CommandCursor) -> tuple[EventGroup, ...]:
    """event-group *(SP event-group), one of them at most for the selected mailbox."""
    groups: list[EventGroup] = []
    has_selected = False
    while not groups or cursor.take_space():
        column = cursor.column
        groups.append(_group(cursor))
        if groups[-1].source.kind in OF_SELECTED:
            if has_selected:
                raise ClientError(texts.ONE_SELECTED, column)
            has_selected = True
    return tuple(groups)


def _word(cursor: CommandCursor, word: bytes) -> bool:
    start = cursor.at
    if cursor.take_atom() == word:
        return True
    cursor.at = start
    return False


def _group(cursor: CommandCursor) -> EventGroup:
    """event-group = "(" filter-mailboxes SP events ")"; events = "(" event *(SP event) ")" / "NONE"."""
    cursor.expect_octet(b"(", texts.AN_EVENT_GROUP)
    cursor.skip_spaces()
    source = mailbox_source(cursor, NOTIFY_KINDS)
    cursor.expect_space(texts.EVENTS)
    of_selected = source.kind in OF_SELECTED
    column = cursor.column
    found: dict[Event | None, tuple[FetchItem, ...]] = {}
    if not _word(cursor, b"NONE"):
        if not cursor.comes(b"("):
            raise cursor.wrong(texts.EVENTS)
        for event, items in cursor.parenthesized(_event, texts.EVENTS):
            found[event] = found.get(event) or items
        if not found:
            raise ClientError(texts.EXPECTED.of(expected=texts.AN_EVENT), cursor.column - 1)
    cursor.skip_spaces()
    cursor.expect_octet(b")", texts.END_OF_EVENT_GROUP)
    events = frozenset(event for event in found if event is not None)
    _check(events, column, of_selected=of_selected, has_items=any(found.values()))
    return EventGroup(source, events, found.get(Event.MESSAGE_NEW, ()), None in found)


def _event(cursor: CommandCursor) -> tuple[Event | None, tuple[FetchItem, ...]]:
    """event, with the FETCH items after it; None for an event-ext, a name that is not known."""
    event = _EVENTS.get(cursor.expect_atom(texts.AN_EVENT))
    if event is not Event.MESSAGE_NEW or not cursor.comes(b" "):
        return event, ()
    start = cursor.at
    cursor.skip_spaces()
    if cursor.comes(b"("):
        return event, fetch_items(cursor)
    cursor.at = start
    return event, ()


def _check(events: frozenset[Event], column: int, *, of_selected: bool, has_items: bool) -> None:
    """RFC 5465 §5: what must come together. Raises ClientError."""
    if of_selected and not events <= OF_MESSAGES:
        raise ClientError(texts.EVENTS_OF_SELECTED, column)
    if has_items and not of_selected:
        raise ClientError(texts.ITEMS_OF_SELECTED, column)
    if events & OF_MESSAGES and not events >= _IN_PAIRS:
        raise ClientError(texts.NEW_AND_EXPUNGE, column)
