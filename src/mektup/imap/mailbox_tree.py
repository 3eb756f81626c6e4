"""An account's mailboxes and subscriptions as one list of names, as LIST and LSUB look at it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from mektup.store.interface import Mailbox
from mektup.terms.names import DELIMITER, INBOX


class Entry(NamedTuple):
    """A name, and what is known of it."""

    name: str
    mailbox: Mailbox | None
    """None for a name that is only subscribed, or only above others."""
    subscribed: bool
    has_children: bool

    @property
    def special_use(self) -> str | None:
        """Of the mailbox, where there is one."""
        return None if self.mailbox is None else self.mailbox.special_use


class MailboxTree:
    """Names by their letters, INBOX first, so that a level comes before what is below it."""

    __slots__ = ("_entries",)

    def __init__(self, mailboxes: Sequence[Mailbox], subscribed: frozenset[str], above: Collection[str] = ()) -> None:
        """*above*: names to be among the entries even where nothing is known of them."""
        by_name: dict[str, Mailbox | None] = dict.fromkeys(chain(subscribed, above))
        by_name.update({mailbox.name: mailbox for mailbox in mailboxes})
        parents = {mailbox.name.rpartition(DELIMITER)[0] for mailbox in mailboxes}
        self._entries = {
            name: Entry(name, by_name[name], name in subscribed, name in parents) for name in sorted(by_name)
        }

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


def levels_above(name: str) -> Iterator[str]:
    """The names above *name*, the nearest first."""
    while name := name.rpartition(DELIMITER)[0]:
        yield name
