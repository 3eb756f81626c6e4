"""Access control lists: which rights an account has, and what SETACL does to a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mektup.store import texts
from mektup.store.access_lists import ANYONE, SharedMailboxes
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, MailboxId
from mektup.terms.rights import NONE, Rights, RightsChange

NEGATIVE = "-"
"""Before an identifier: its rights are taken away (RFC 4314 §2)."""


def identifiers_of(reader: AccountId) -> tuple[str, str, str, str]:
    """The identifiers that mean the account *reader*."""
    return (reader, ANYONE, NEGATIVE + reader, NEGATIVE + ANYONE)


def grants(identifier: str) -> bool:
    """Whether *identifier* gets rights, and is not deprived of them."""
    return not identifier.startswith(NEGATIVE)


def shared(rows: Iterable[tuple[MailboxId, str, str, Rights]]) -> SharedMailboxes:
    """The mailboxes of *rows*: ID, name, and an identifier that means the reader, with its rights.

    The rights of several identifiers are added, and negative rights are taken away from the sum (RFC 4314 §2).
    """
    names: dict[MailboxId, str] = {}
    granted: dict[MailboxId, Rights] = {}
    denied: dict[MailboxId, Rights] = {}
    for mailbox, name, identifier, rights in rows:
        names[mailbox] = name
        side = granted if grants(identifier) else denied
        side[mailbox] = side.get(mailbox, NONE) | rights
    by_id = {mailbox: left for mailbox, rights in granted.items() if (left := rights - denied.get(mailbox, NONE))}
    return SharedMailboxes(
        {names[mailbox]: rights for mailbox, rights in by_id.items()},
        by_id,
        {names[mailbox]: mailbox for mailbox in by_id},
    )


def changed(entries: Mapping[str, Rights], identifier: str, change: RightsChange, limits: Limits) -> Rights:
    """The rights of *identifier* after *change* of the list *entries*. Raises Refused(LIMIT)."""
    rights = change.applied(entries.get(identifier, NONE))
    if rights and identifier not in entries and len(entries) >= limits.acl_identifiers:
        raise Refused(Code.LIMIT, texts.TOO_MANY_IDENTIFIERS.of(identifiers=limits.acl_identifiers))
    return rights


def require_few_sharers(count: int, limits: Limits) -> None:
    """Raises Refused(LIMIT) where *count* accounts are too many that share with the same identifier."""
    if count > limits.sharing_accounts:
        raise Refused(Code.LIMIT, texts.TOO_MANY_SHARERS.of(accounts=limits.sharing_accounts))
