"""The rows of an account's own limits, and the sums of its mailboxes' counters; the rules are in ``rules.quota``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules import quota as rules
from mektup.store.rules.counters import DELETED
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.terms.numbers import MailboxId
from mektup.terms.quota import OwnLimits, Resource

T = TypeVar("T")

TABLE: Final = """
CREATE TABLE quota (                -- the limits that this account has in place of the default ones
    resource TEXT PRIMARY KEY,
    most INTEGER                    -- NULL: no limit
) WITHOUT ROWID;
"""
"""Since version 10."""

_NAMES = frozenset(resource.value for resource in Resource)
_KNOWN = ", ".join(f"'{name}'" for name in sorted(_NAMES))
_OWN = "SELECT resource, most FROM quota"
WRONG: Final = (
    f"SELECT resource FROM quota WHERE resource NOT IN ({_KNOWN}) "
    "OR most IS NOT NULL AND (typeof(most) <> 'integer' OR most < 0)"
)
"""The rows that are no limits of an account."""

_USAGE = "SELECT ifnull(sum(size), 0), ifnull(sum(messages), 0), ifnull(sum(selectable), 0) FROM mailboxes"
_HELD = "SELECT messages, deleted FROM mailboxes WHERE id = ?"
_DELETED = f"SELECT ifnull(sum(size), 0) FROM messages WHERE mailbox = ? AND flags & {DELETED} <> 0"


def _limits(rows: Iterable[tuple[Any, ...]]) -> OwnLimits:
    return {Resource(name): most for name, most in rows if name in _NAMES}


def own_limits(cursor: Cursor) -> OwnLimits:
    """The limits that the account has in place of the default ones."""
    return _limits(cursor.execute(_OWN).fetchall())


def usage(cursor: Cursor) -> Mapping[Resource, int]:
    """What the account holds of each resource."""
    octets, messages, mailboxes = cursor.execute(_USAGE).get
    return {Resource.STORAGE: octets, Resource.MESSAGE: messages, Resource.MAILBOX: mailboxes}


def state(cursor: Cursor, default: DefaultQuota) -> QuotaState:
    """See ``store.quota.AccountQuota``, also for the other functions."""
    with moment(cursor):
        own = own_limits(cursor)
        return QuotaState(usage(cursor), rules.in_force(own, default.limits), own)


def has_own_limits(cursor: Cursor) -> bool:
    """Whether the account has limits in place of the default ones."""
    found: int | None = cursor.execute("SELECT 1 FROM quota").get
    return found is not None


def set_limits(change: Change, own: OwnLimits) -> None:
    rows = [(resource.value, None if most is None else min(most, rules.MOST)) for resource, most in own.items()]
    change.cursor.execute("DELETE FROM quota")
    change.cursor.executemany("INSERT INTO quota VALUES (?, ?)", rows)


def deleted_octets(
    cursor: Cursor, mailboxes: Sequence[MailboxId], most: int | None = None
) -> Mapping[MailboxId, int] | None:
    """None where more than *most* messages would be read."""
    with moment(cursor):
        held = [(mailbox, cursor.execute(_HELD, (mailbox,)).get) for mailbox in mailboxes]
        there = {mailbox: row for mailbox, row in held if row is not None}
        if most is not None and sum(messages for messages, deleted in there.values() if deleted) > most:
            return None
        return {
            mailbox: cursor.execute(_DELETED, (mailbox,)).get if deleted else 0
            for mailbox, (_, deleted) in there.items()
        }


def within(change: Change, make: Callable[[Change], T], default: DefaultQuota) -> T:
    """Makes the change *make*. Raises Refused(OVERQUOTA) where it makes the account grow beyond its quota.

    Without any limit it costs one look at an empty table, because every append comes here.
    """
    done = make(change)
    if change.messages_added > 0 or change.octets_added > 0 or change.mailboxes_added > 0:
        rows = change.cursor.execute(_OWN).fetchall()
        if rows or default.limits:
            limits = rules.in_force(_limits(rows), default.limits) if rows else default.limits
            rules.require_growth_within(_grown(change), usage(change.cursor), limits)
    return done


def _grown(change: Change) -> Mapping[Resource, int]:
    return {
        Resource.STORAGE: change.octets_added,
        Resource.MESSAGE: change.messages_added,
        Resource.MAILBOX: change.mailboxes_added,
    }
