"""The mailboxes and subscriptions of a client as one list of names, for LIST and LSUB."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from mektup.store.interface import Mailbox
from mektup.store.rules.mailbox_names import listed_order
from mektup.terms.names import DELIMITER, INBOX, OTHER_USERS, is_own


class Entry(NamedTuple):
    """A name, with its mailbox, subscription and children."""

    name: str
    mailbox: Mailbox | None
    """None for a name that is only subscribed, or only a parent of other names."""
    subscribed: bool
    has_children: bool
    is_level: bool = False
    """Whether it is only a level above mailboxes that others share, and no mailbox that the client may see."""

    def attributes(self, *, subscribed: bool) -> tuple[str, ...]:
        """The attributes of a LIST line (RFC 9051 §7.3.1); \\Subscribed only if *subscribed* asks for it."""
        mailbox = self.mailbox
        return _attributes(
            self.is_level,
            mailbox is not None,
            mailbox is not None and mailbox.selectable,
            self.subscribed and subscribed,
            self.has_children,
            None if mailbox is None else mailbox.special_use,
        )

    @property
    def special_use(self) -> str | None:
        """The special use of the mailbox, if there is a mailbox."""
        return None if self.mailbox is None else self.mailbox.special_use


@lru_cache(maxsize=64)
def _attributes(
    is_level: bool, exists: bool, selectable: bool, subscribed: bool, has_children: bool, special_use: str | None
) -> tuple[str, ...]:
    attributes = []
    if is_level:
        attributes.append("\\Noselect")
    elif not exists:
        attributes.append("\\NonExistent")
    elif not selectable:
        attributes.append("\\Noselect")
    if subscribed:
        attributes.append("\\Subscribed")
    # RFC 9051 §6.3.9.5, RFC 5258 §4: listed with every name, requested or not
    attributes.append("\\HasChildren" if has_children else "\\HasNoChildren")
    if special_use is not None:
        # listed even if not requested: macOS Mail and Outlook look for it in plain LIST
        attributes.append(special_use)
    return tuple(attributes)


class MailboxTree:
    """Sorted names, so that a parent comes before its children."""

    __slots__ = ("_entries",)

    def __init__(self, mailboxes: Sequence[Mailbox], subscribed: frozenset[str], above: Collection[str] = ()) -> None:
        """*above*: names that get an entry even without a mailbox or subscription."""
        by_name: dict[str, Mailbox | None] = dict.fromkeys(chain(subscribed, above))
        by_name.update({mailbox.name: mailbox for mailbox in mailboxes})
        parents = {mailbox.name.rpartition(DELIMITER)[0] for mailbox in mailboxes}
        levels = _levels(parents, by_name)
        self._entries = {
            name: Entry(name, by_name.get(name), name in subscribed, name in parents, name in levels)
            for name in sorted(by_name.keys() | levels if levels else by_name)
        }

    def find(self, name: str) -> Entry | None:
        """The entry of *name*, if there is one."""
        return self._entries.get(name)

    def entries(self, *, with_unknown: bool) -> Iterator[Entry]:
        """All mailboxes and levels, INBOX first; *with_unknown* adds the other names without a mailbox."""
        inbox = self._entries.get(INBOX)
        if inbox is not None and (with_unknown or inbox.mailbox is not None):
            yield inbox
        for entry in self._entries.values():
            if entry is not inbox and (with_unknown or entry.mailbox is not None or entry.is_level):
                yield entry


def levels_above(name: str) -> Iterator[str]:
    """The parents of *name*, the nearest first."""
    while name := name.rpartition(DELIMITER)[0]:
        yield name


def entry_of(name: str, mailboxes: Sequence[Mailbox], subscribed: frozenset[str]) -> Entry:
    """The entry of one name, found in *mailboxes* as ``Account.mailboxes`` orders them, without a tree."""
    at = bisect_left(mailboxes, listed_order(name), key=_order)
    mailbox = mailboxes[at] if at < len(mailboxes) and mailboxes[at].name == name else None
    below = at if mailbox is None else at + 1
    has_children = below < len(mailboxes) and mailboxes[below].name.startswith(name + DELIMITER)
    return Entry(name, mailbox, name in subscribed, has_children)


def _order(mailbox: Mailbox) -> tuple[bool, str]:
    return listed_order(mailbox.name)


def _levels(parents: set[str], there: dict[str, Mailbox | None]) -> set[str]:
    """The names above mailboxes of others that are no mailboxes. Adds their own parents to *parents*."""
    levels: set[str] = set()
    todo = [name for name in parents if name.startswith(OTHER_USERS) and not is_own(name)]
    while todo:
        name = todo.pop()
        parents.add(name)
        if there.get(name) is None:
            levels.add(name)
        if (above := name.rpartition(DELIMITER)[0]) and above not in parents:
            todo.append(above)
    return levels
