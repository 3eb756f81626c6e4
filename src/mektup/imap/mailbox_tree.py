"""An account's mailboxes and subscriptions as one list of names, as LIST and LSUB look at it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mektup.store.interface import Mailbox
from mektup.terms.names import DELIMITER, INBOX


class Entry(NamedTuple):
    """A name, and what is known of it."""

    name: str
    mailbox: Mailbox | None
    """None for a name that is only subscribed, or only above one that is."""
    subscribed: bool
    has_children: bool

    @property
    def special_use(self) -> str | None:
        """Of the mailbox, where there is one."""
        return None if self.mailbox is None else self.mailbox.special_use


class MailboxTree:
    """Names in the store's order: INBOX first, then by name, so that a level comes before what is below it."""

    __slots__ = ("_entries", "_names")

    def __init__(self, mailboxes: Sequence[Mailbox], subscribed: frozenset[str]) -> None:
        by_name: dict[str, Mailbox | None] = dict.fromkeys(subscribed)
        for name in subscribed:
            while name := name.rpartition(DELIMITER)[0]:
                by_name.setdefault(name)
        by_name.update({mailbox.name: mailbox for mailbox in mailboxes})
        self._names = sorted(by_name)
        parents = {name.rpartition(DELIMITER)[0] for name, mailbox in by_name.items() if mailbox is not None}
        self._entries = {name: Entry(name, by_name[name], name in subscribed, name in parents) for name in self._names}

    def find(self, name: str) -> Entry | None:
        """The entry of that name."""
        return self._entries.get(name)

    def entries(self, *, with_unknown: bool) -> Iterator[Entry]:
        """All mailboxes, INBOX first; *with_unknown*, also names that only subscriptions know."""
        inbox = self._entries.get(INBOX)
        if inbox is not None and (with_unknown or inbox.mailbox is not None):
            yield inbox
        for entry in self._entries.values():
            if entry is not inbox and (with_unknown or entry.mailbox is not None):
                yield entry

    def below(self, name: str) -> Iterator[Entry]:
        """Every name below *name*, subscribed ones that do not exist included."""
        prefix = name + DELIMITER
        for at in range(bisect_left(self._names, prefix), len(self._names)):
            if not self._names[at].startswith(prefix):
                break
            yield self._entries[self._names[at]]
