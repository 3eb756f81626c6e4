"""The mailbox specifiers of NOTIFY (RFC 5465 §6) and of ESEARCH (RFC 7377 §2.2)."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class SourceKind(Enum):
    """What a specifier begins with; the value is its name on the wire."""

    SELECTED = "SELECTED"
    """The selected mailbox, told at once."""
    SELECTED_DELAYED = "SELECTED-DELAYED"
    """The selected mailbox; expunges are told where a command allows it. For NOTIFY only."""
    INBOXES = "INBOXES"
    """Mailboxes to which mail may be delivered."""
    PERSONAL = "PERSONAL"
    """All mailboxes of the user's own namespace."""
    SUBSCRIBED = "SUBSCRIBED"
    SUBTREE = "SUBTREE"
    """The named mailboxes and all below them."""
    SUBTREE_ONE = "SUBTREE-ONE"
    """The named mailboxes and those one level below them. For ESEARCH only."""
    MAILBOXES = "MAILBOXES"
    """The named mailboxes."""


NAMED = frozenset({SourceKind.SUBTREE, SourceKind.SUBTREE_ONE, SourceKind.MAILBOXES})
"""The kinds with names after them."""

OF_SELECTED = frozenset({SourceKind.SELECTED, SourceKind.SELECTED_DELAYED})
"""The kinds that mean the selected mailbox, whichever it is."""


class MailboxSource(Struct, frozen=True):
    """One specifier (RFC 5465 §8 filter-mailboxes)."""

    kind: SourceKind
    names: tuple[str, ...] = ()
    """The decoded names of mailboxes, each once; for the kinds of NAMED only."""
