"""Which mailboxes the specifiers of ESEARCH mean (RFC 7377 §2.2, RFC 5465 §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from mektup.delivery.recipients import closed_names, receives
from mektup.imap import access
from mektup.imap.access import Located
from mektup.imap.mailbox_tree import levels_above
from mektup.store.interface import Mailbox
from mektup.terms.errors import Code, Refused
from mektup.terms.mailbox_sources import OF_SELECTED, MailboxSource, SourceKind
from mektup.terms.names import DELIMITER, is_own

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

NAMES_AT_ONCE = 100
"""How many names are tested before other sessions may run."""


async def readable(session: Conversation, sources: Sequence[MailboxSource]) -> list[tuple[Mailbox, Located]]:
    """The selectable mailboxes that *sources* mean and the client may read, each once: the own ones first, by name.

    RFC 7377 §2.2, §5: all others are ignored. Without an open mailbox, the selected one means none.
    """
    mailboxes = await access.mailboxes(session)
    kinds = {source.kind for source in sources}
    subscribed = await session.mail.subscriptions() if SourceKind.SUBSCRIBED in kinds else frozenset[str]()
    names = _named(sources, subscribed)
    closed = closed_names(mailboxes) if SourceKind.INBOXES in kinds else None
    found: list[tuple[Mailbox, Located]] = []
    for number, mailbox in enumerate(mailboxes):
        if number % NAMES_AT_ONCE == 0:
            await session.give_way()
        if not mailbox.selectable:
            continue
        located = await _located(session, mailbox.name)
        if located is not None and (
            names(mailbox.name)
            or (kinds & OF_SELECTED and is_selected(session, mailbox, located))
            or (
                located.is_own
                and (
                    SourceKind.PERSONAL in kinds
                    or (closed is not None and receives(mailbox, closed, session.services.delivery))
                )
            )
        ):
            found.append((mailbox, located))
    return found + await _hidden(session, sources, {mailbox.name for mailbox in mailboxes})


async def _hidden(
    session: Conversation, sources: Sequence[MailboxSource], listed: Set[str]
) -> list[tuple[Mailbox, Located]]:
    """The named mailboxes of others that the client may read but not look up, so that they are not *listed*.

    RFC 7377 §2.2 demands the right to look up only for mailboxes that are not named.
    """
    found: list[tuple[Mailbox, Located]] = []
    for name in sorted(_names(sources, SourceKind.MAILBOXES) - listed):
        if not is_own(name):
            await session.give_way()
            located = await _located(session, name)
            mailbox = None if located is None else await _mailbox(located)
            if located is not None and mailbox is not None:
                found.append((mailbox, located))
    return found


async def _mailbox(located: Located) -> Mailbox | None:
    try:
        mailbox = await located.account.mailbox(located.name)
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            return None
        raise
    return replace(mailbox, name=located.shown) if mailbox.selectable else None


def is_selected(session: Conversation, mailbox: Mailbox, located: Located) -> bool:
    """Whether *mailbox*, which is where *located* says, is the selected one."""
    view = session.view
    return view is not None and view.mailbox == mailbox.id and view.account.id == located.account.id


async def _located(session: Conversation, name: str) -> Located | None:
    try:
        return await access.locate(session, name, "r")
    except Refused as refusal:
        if refusal.code in (Code.NONEXISTENT, Code.NOPERM):
            return None
        raise


def _named(sources: Sequence[MailboxSource], subscribed: frozenset[str]) -> Callable[[str], bool]:
    """Whether *sources* name a mailbox, or a mailbox above it."""
    roots = _names(sources, SourceKind.SUBTREE)
    parents = _names(sources, SourceKind.SUBTREE_ONE)
    names = roots | parents | subscribed | _names(sources, SourceKind.MAILBOXES)

    def named(name: str) -> bool:
        if name in names or name.rpartition(DELIMITER)[0] in parents:
            return True
        return bool(roots) and not roots.isdisjoint(levels_above(name))

    return named


def _names(sources: Sequence[MailboxSource], kind: SourceKind) -> frozenset[str]:
    return frozenset(name for source in sources if source.kind is kind for name in source.names)
