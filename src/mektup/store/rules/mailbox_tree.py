"""CREATE, DELETE, RENAME and SUBSCRIBE: what they do to the mailboxes and subscriptions of an account.

An engine offers its mailboxes as a Tree, and calls these functions inside its transaction. RFC 9051 §6.3.4 to §6.3.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mektup.store.interface import Mailbox
from mektup.store.rules.mailbox_names import (
    check_name,
    renamed,
    require_creatable,
    require_deletable,
    require_few_mailboxes,
    require_few_subscriptions,
    require_mailbox,
    require_own,
    require_renamable,
    superiors,
)
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES
from mektup.terms.limits import Limits
from mektup.terms.names import DELIMITER, mailbox_key
from mektup.terms.numbers import MailboxId, UidValidity


class Tree(Protocol):
    """The mailboxes and subscriptions of an account during a change. All names are canonical."""

    def find(self, name: str) -> Mailbox | None:
        """The mailbox with that name."""

    def below(self, name: str) -> Sequence[tuple[MailboxId, str]]:
        """The inferiors of *name*, at any depth: IDs and names."""

    def has_special_use(self, special_use: str) -> bool:
        """Whether a mailbox has that special use."""

    def count(self) -> int:
        """How many mailboxes there are."""

    def insert(
        self,
        name: str,
        *,
        special_use: str | None = None,
        selectable: bool = True,
        uidvalidity: UidValidity | None = None,
    ) -> None:
        """Adds an empty mailbox; with no *uidvalidity*, it gets the account's next one."""

    def inherit(self, name: str, above: MailboxId) -> None:
        """Gives the new mailbox *name* the access control list of the mailbox *above*."""

    def remove(self, mailbox: MailboxId) -> None:
        """Removes a mailbox and its messages."""

    def rename(self, mailbox: MailboxId, name: str) -> None:
        """Gives a mailbox another name."""

    def is_subscribed(self, name: str) -> bool:
        """Whether *name* is subscribed; a mailbox of that name need not exist."""

    def subscribe(self, name: str) -> None:
        """Adds the subscription of *name*."""

    def unsubscribe(self, name: str) -> None:
        """Removes the subscription of *name*."""

    def count_subscriptions(self) -> int:
        """How many subscriptions there are."""


def populate(tree: Tree) -> None:
    """Makes the mailboxes of a new account."""
    for name, special_use in NEW_ACCOUNT_MAILBOXES:
        tree.insert(name, special_use=special_use)
        tree.subscribe(name)


def create(
    tree: Tree, name: str, special_use: str | None, limits: Limits, uidvalidity: UidValidity | None = None
) -> Mailbox:
    """Creates *name* and missing levels above it; see ``interface.Account.create``.

    *uidvalidity* is that of a mailbox of another server; None: the account's next one.
    """
    name = mailbox_key(name)
    check_name(name, limits)
    require_own(name)
    there = tree.find(name)
    use_is_taken = special_use is not None and tree.has_special_use(special_use)
    require_creatable(there, special_use, use_is_taken=use_is_taken)
    if there is not None:
        # made anew, so that a session with the deleted mailbox does not mistake this one for it
        tree.remove(there.id)
    _insert_superiors(tree, name)
    _insert(tree, name, special_use, uidvalidity)
    require_few_mailboxes(tree.count(), limits)
    return require_mailbox(tree.find(name))


def _insert_superiors(tree: Tree, name: str) -> None:
    for superior in superiors(name):
        if tree.find(superior) is None:
            _insert(tree, superior, None)


def _insert(tree: Tree, name: str, special_use: str | None, uidvalidity: UidValidity | None = None) -> None:
    tree.insert(name, special_use=special_use, uidvalidity=uidvalidity)
    # RFC 4314 §4: a new mailbox SHOULD inherit the list of the mailbox above it
    above = tree.find(name.rpartition(DELIMITER)[0])
    if above is not None:
        tree.inherit(name, above.id)


def delete(tree: Tree, name: str) -> None:
    """Removes a mailbox and its messages; see ``interface.Account.delete``."""
    doomed = require_mailbox(tree.find(mailbox_key(name)))
    has_inferiors = bool(tree.below(doomed.name))
    require_deletable(doomed, has_inferiors=has_inferiors)
    tree.remove(doomed.id)
    if has_inferiors:
        tree.insert(doomed.name, selectable=False)


def rename(tree: Tree, old: str, new: str, limits: Limits) -> None:
    """Renames a mailbox other than INBOX, and its inferiors; see ``interface.Account.rename``."""
    moved, new = require_mailbox(tree.find(mailbox_key(old))), mailbox_key(new)
    check_name(new, limits)
    require_own(new)
    require_renamable(moved.name, new, is_taken=tree.find(new) is not None)
    _insert_superiors(tree, new)
    all_moved = [(moved.id, moved.name), *tree.below(moved.name)]
    targets = renamed(moved.name, new, [name for _, name in all_moved], limits)
    for (mailbox, _), target in zip(all_moved, targets, strict=True):
        tree.rename(mailbox, target)


def subscribe(tree: Tree, name: str, limits: Limits) -> None:
    """Subscribes *name*."""
    name = mailbox_key(name)
    check_name(name, limits)
    if not tree.is_subscribed(name):
        tree.subscribe(name)
        require_few_subscriptions(tree.count_subscriptions(), limits)


def unsubscribe(tree: Tree, name: str) -> None:
    """Ends the subscription of *name*."""
    if tree.is_subscribed(mailbox_key(name)):
        tree.unsubscribe(mailbox_key(name))
