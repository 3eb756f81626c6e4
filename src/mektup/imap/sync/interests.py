"""What a client wants to be told of without asking: the event groups of a NOTIFY SET (RFC 5465 §6), made for look-up.

Several groups can name the same mailbox; then all their events count. A group of named mailboxes with NONE takes these
mailboxes out of the other groups: the client "does not wish to receive any events" for them (RFC 5465 §8). NONE for
PERSONAL, INBOXES or SUBSCRIBED adds nothing, and takes nothing away from named mailboxes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from mektup.imap.mailbox_tree import levels_above
from mektup.terms.mailbox_events import Event
from mektup.terms.mailbox_sources import OF_SELECTED, SourceKind
from mektup.wire.fetch_items import FetchItem
from mektup.wire.requests import EventGroup

NO_EVENTS: Final[frozenset[Event]] = frozenset()


class OfSelected(Struct, frozen=True):
    """What the client is told of the selected mailbox, whichever that is."""

    messages: bool
    """Whether it is told of new and expunged messages. If not, it is told nothing (RFC 5465 §5)."""
    flags: bool
    """Whether it is told of changed flags."""
    at_once: bool = False
    """Whether it is told of expunges while no command is in progress (RFC 5465 §6.1.1)."""
    items: tuple[FetchItem, ...] = ()
    """What a FETCH line tells of each new message; no line for none."""


EVERYTHING: Final = OfSelected(messages=True, flags=True)
"""For a client without NOTIFY (RFC 5465 §3.1)."""

NOTHING: Final = OfSelected(messages=False, flags=False)
"""For NOTIFY NONE, and for NOTIFY SET without SELECTED."""


class Interests:
    """The groups of a NOTIFY."""

    __slots__ = ("_below", "_excluded", "_excluded_below", "_named", "_personal", "_subscribed", "selected")

    def __init__(self, groups: Iterable[EventGroup]) -> None:
        self.selected = NOTHING
        self._personal = self._subscribed = NO_EVENTS
        self._named: dict[str, frozenset[Event]] = {}
        self._below: dict[str, frozenset[Event]] = {}
        self._excluded: set[str] = set()
        self._excluded_below: set[str] = set()
        for group in groups:
            self._add(group)

    def _add(self, group: EventGroup) -> None:
        kind, events = group.source.kind, group.events
        if kind in OF_SELECTED:
            self.selected = OfSelected(
                messages=Event.MESSAGE_NEW in events,
                flags=Event.FLAG_CHANGE in events,
                at_once=kind is SourceKind.SELECTED,
                items=group.items,
            )
        elif kind is SourceKind.SUBSCRIBED:
            self._subscribed |= events
        elif kind in (SourceKind.PERSONAL, SourceKind.INBOXES):
            # RFC 5465 §6.3: LMTP may deliver to any mailbox, by a detail in the address
            self._personal |= events
        else:
            is_subtree = kind is SourceKind.SUBTREE
            if not events:
                (self._excluded_below if is_subtree else self._excluded).update(group.source.names)
            table = self._below if is_subtree else self._named
            for name in group.source.names:
                table[name] = table.get(name, NO_EVENTS) | events

    @property
    def are_of_others(self) -> bool:
        """Whether there are events of other mailboxes than the selected one."""
        return bool(self._personal or self._subscribed or any(self._named.values()) or any(self._below.values()))

    def has(self, event: Event) -> bool:
        """Whether the client wants to be told of *event* for any mailbox."""
        groups = (self._personal, self._subscribed, *self._named.values(), *self._below.values())
        return any(event in events for events in groups)

    def of(self, name: str, *, subscribed: bool) -> frozenset[Event]:
        """The events of the mailbox *name* that the client wants to be told of, unless it is selected."""
        events = self._personal | self._subscribed if subscribed else self._personal
        if not (self._named or self._below):
            return events
        if name in self._excluded:
            return NO_EVENTS
        events |= self._named.get(name, NO_EVENTS)
        if self._below:
            for level in (name, *levels_above(name)):
                if level in self._excluded_below:
                    return NO_EVENTS
                events |= self._below.get(level, NO_EVENTS)
        return events
