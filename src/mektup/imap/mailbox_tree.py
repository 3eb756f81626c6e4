"""An account's mailboxes and subscriptions as one list of names, for LIST and LSUB."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mektup.store.interface import Mailbox
from mektup.terms.names import DELIMITER, INBOX


class Entry(NamedTuple):
    """A name, with its mailbox, subscription and children."""

    name: str
    mailbox: Mailbox | None
    """None for a name that is only subscribed, or only a parent of other names."""
    subscribed: bool
    has_children: bool

    @property
    def special_use(self) -> str | None:
        """The special use of the mailbox, if there is a mailbox."""
        return None if self.mailbox is None else self.mailbox.special_use


class MailboxTree:
    """Sorted names, so that a parent comes before its children."""

    __slots__ = ("_entries",)

    def __init__(self, mailboxes: Sequence[Mailbox], subscribed: frozenset[str], above: Collection[str] = ()) -> None:
        """*above*: names that get an entry even without a mailbox or subscription."""
        by_name: dict[str, Mailbox | None] = dict.fromkeys(chain(subscribed, above))
        by_name.update({mailbox.name: mailbox for mailbox in mailboxes})
        parents = {mailbox.name.rpartition(DELIMITER)[0] for mailbox in mailboxes}
        self._entries = {
            name: Entry(name, by_name[name], name in subscribed, name in parents) for name in sorted(by_name)
        }

    def find(self, name: str) -> Entry | None:
        """The entry of *name*, if there is one."""
        return self._entries.get(name)

    def entries(self, *, with_unknown: bool) -> Iterator[Entry]:
        """All mailboxes, INBOX first; *with_unknown* adds the names without a mailbox."""
        inbox = self._entries.get(INBOX)
        if inbox is not None and (with_unknown or inbox.mailbox is not None):
            yield inbox
        for entry in self._entries.values():
            if entry is not inbox and (with_unknown or entry.mailbox is not None):
                yield entry


def levels_above(name: str) -> Iterator[str]:
    """The parents of *name*, the nearest first."""
    while name := name.rpartition(DELIMITER)[0]:
        yield name
