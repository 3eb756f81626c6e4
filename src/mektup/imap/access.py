"""The one place that decides what a client may do with a mailbox (RFC 4314 §4).

A command that names a mailbox asks ``locate`` (``locate_new`` for a name that it is about to give): it turns the name
that the client wrote, and the rights that the command needs, into the account that has the mailbox, the name of the
mailbox in that account, and the client's rights. A command on the selected mailbox asks the view: ``view.account`` has
the messages, ``view.require`` checks a right. ``mailboxes`` lists everything that the client may see. No other module
looks up a name in ``session.mail``.

An own mailbox has all rights, and costs one comparison with the beginning of its name. A mailbox of the past
(``past_mailboxes``) can only be read. The mailbox *Projects* of
*fred* is ``Other Users/fred/Projects`` for all others. A mailbox that a client may not look up does not exist for it:
the same question gives the same answer, because it is looked up among those that the owner shares with this client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct

from mektup.imap import past_mailboxes, texts
from mektup.imap.patterns import Pattern
from mektup.store.access_lists import SharedMailboxes
from mektup.store.interface import Account, AccountEntry, Mailbox
from mektup.store.rules.mailbox_names import no_such_mailbox, no_such_target
from mektup.terms.errors import Code, Refused
from mektup.terms.names import DELIMITER, OTHER_USERS, PAST, is_own, is_past, mailbox_key
from mektup.terms.numbers import MailboxId
from mektup.terms.rights import ALL, KNOWING, NONE, Rights

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

_NAMESPACES = (OTHER_USERS, PAST)

PREFIX = OTHER_USERS + DELIMITER
"""Before the name of the owner, in the name of a shared mailbox."""


class Located(Struct, frozen=True):
    """Where a mailbox is, and what the client may do with it."""

    account: Account
    """The account that owns the mailbox."""
    name: str
    """The mailbox's name in that account."""
    rights: Rights
    shown: str
    """The name for this client."""
    is_own: bool
    """Whether it is of the client's own account, now or in the past."""
    mailbox: MailboxId | None = None
    """The mailbox, if it is another user's and exists. Its name may mean another one a moment later: see ``check``."""

    is_past: bool = False
    """Whether it is a mailbox of the past, see ``past_mailboxes``."""

    def check(self, mailbox: MailboxId) -> None:
        """Raises Refused(NONEXISTENT) unless *mailbox*, which the name means now, is the one with these rights."""
        if self.mailbox is not None and mailbox != self.mailbox:
            raise no_such_mailbox()


async def locate(session: Conversation, name: str, needs: str = "") -> Located:
    """Where the mailbox *name* is; *needs* are the letters of the rights that the command needs, all of them.

    An own mailbox need not exist: the store refuses later. Raises Refused(NONEXISTENT) for a mailbox that the client
    may not know of, Refused(NOPERM) for one where a right is missing. Without *needs*, a client with any of the rights
    KNOWING may know of the mailbox.
    """
    if not name.startswith(_NAMESPACES) or is_own(name):
        return Located(session.mail, name, ALL, name, True)
    if is_past(name):
        if not past_mailboxes.RIGHTS.issuperset(needs):
            raise no_right()
        account, inside = await past_mailboxes.located(session.mail, name)
        return Located(account, inside, past_mailboxes.RIGHTS, name, True, is_past=True)
    account, inside, shared = await _of_others(session, name)
    rights = shared.by_name.get(inside, NONE)
    if not (rights.issuperset(needs) if needs else rights & KNOWING):
        raise no_right() if "l" in rights else no_such_mailbox()
    return Located(account, inside, rights, shown(account, inside), False, shared.ids.get(inside))


async def locate_target(session: Conversation, name: str) -> Located:
    """Where COPY and MOVE put messages. Raises Refused(TRYCREATE, NOPERM); see ``locate``."""
    try:
        return await locate(session, name, "i")
    except Refused as refusal:
        if refusal.code is Code.NONEXISTENT:
            raise no_such_target() from refusal
        raise


async def locate_new(session: Conversation, name: str) -> Located:
    """Where a new mailbox *name* would be. The client needs ``k`` on the nearest mailbox above it (RFC 4314 §4).

    Raises Refused(NOPERM), whatever is missing: the right, the mailbox above, or the account.
    """
    if is_own(name):
        return Located(session.mail, name, ALL, name, True)
    if is_past(name):
        raise no_right()
    try:
        account, inside, shared = await _of_others(session, name)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            raise
        raise no_right() from refusal
    rights = await _rights_above(account, inside, shared)
    if "k" not in rights or ("l" not in shared.by_name.get(inside, NONE) and await _exists(account, inside)):
        raise no_right()
    return Located(account, inside, rights, shown(account, inside), False)


async def require_there(located: Located) -> None:
    """Raises Refused(NONEXISTENT) unless the mailbox exists, for commands that do nothing else with it."""
    located.check((await located.account.mailbox(located.name)).id)


async def mailboxes(session: Conversation) -> Sequence[Mailbox]:
    """Every mailbox that the client may look up (``l``), with the names that ``locate`` takes.

    Mailboxes of others have no special use, because no client should take them for its own.
    """
    return (await listed(session)).mailboxes


class Listed(Struct, frozen=True):
    """What a client may look up."""

    mailboxes: Sequence[Mailbox]
    """See ``mailboxes``."""
    rights: Mapping[str, Rights]
    """The client's rights on those of others, by the same names."""


async def listed_with_past(
    session: Conversation, pattern: Pattern, subscribed: frozenset[str], *, others: bool
) -> Listed:
    """See ``listed``; with the mailboxes of the past that *pattern* asks for, or that are *subscribed*."""
    found = await listed(session, others=others)
    if not past_mailboxes.is_asked_for(pattern, subscribed):
        return found
    past = await past_mailboxes.listed(session.mail, pattern, subscribed)
    rights = {**found.rights, **dict.fromkeys((each.name for each in past), past_mailboxes.RIGHTS)}
    return Listed([*found.mailboxes, *past], rights)


async def show_deleted(session: Conversation, *, shows: bool) -> None:
    """Makes LIST show the mailbox of deleted messages from now on, or not any more."""
    await (session.mail.subscribe(PAST) if shows else session.mail.unsubscribe(PAST))


async def listed(session: Conversation, *, others: bool = True) -> Listed:
    """See ``mailboxes``; without *others*, only the own ones."""
    own = await session.mail.mailboxes()
    sharing = await session.services.store.directory.sharing_with(session.mail.id) if others else None
    if not sharing:
        return Listed(own, {})
    shared = await _shared_mailboxes(session, [entry for _, entry in sorted(sharing.items())])
    rights = {mailbox.name: rights for mailbox, rights in shared}
    return Listed([*own, *(mailbox for mailbox, _ in shared)], rights)


async def _shared_mailboxes(session: Conversation, sharing: Iterable[AccountEntry]) -> Sequence[tuple[Mailbox, Rights]]:
    found: list[tuple[Mailbox, Rights]] = []
    store, reader = session.services.store, session.mail.id
    for entry in sharing:
        try:
            account = await store.account(entry)
            shared = await account.access_lists.shared_with(reader)
            visible = {mailbox for mailbox, rights in shared.by_id.items() if "l" in rights}
            there = await account.mailboxes() if visible else ()
        except Refused as refusal:
            # it is gone, or its file is broken: that must not hide the mailboxes of all others
            session.services.log.warning("account not listed", account=entry.id, reason=str(refusal.text))
            continue
        found += [
            (replace(each, name=shown(account, each.name), special_use=None), shared.by_id[each.id])
            for each in there
            if each.id in visible
        ]
        await session.give_way()
    return found


async def rights_in(session: Conversation, account: Account) -> Mapping[MailboxId, Rights]:
    """The client's rights on the mailboxes of the other *account*, by ID; empty if it shares nothing any more."""
    sharing = await session.services.store.directory.sharing_with(session.mail.id)
    entry = sharing.get(account.name)
    if entry is None or entry.id != account.id:
        return {}
    return (await account.access_lists.shared_with(session.mail.id)).by_id


def no_right() -> Refused:
    """The refusal where a right is missing."""
    return Refused(Code.NOPERM, texts.NO_RIGHT)


def shown(account: Account, inside: str) -> str:
    """The name that others have for the mailbox *inside* of *account*."""
    return f"{PREFIX}{account.name}{DELIMITER}{inside}"


async def _of_others(session: Conversation, name: str) -> tuple[Account, str, SharedMailboxes]:
    """The account of a shared mailbox, the name in it, and all that it shares. Raises Refused(NONEXISTENT)."""
    owner, _, inside = name.removeprefix(PREFIX).partition(DELIMITER)
    store = session.services.store
    entry = (await store.directory.sharing_with(session.mail.id)).get(owner)
    if entry is None or not inside:
        raise no_such_mailbox()
    account = await store.account(entry)
    return account, mailbox_key(inside), await account.access_lists.shared_with(session.mail.id)


async def _rights_above(account: Account, inside: str, shared: SharedMailboxes) -> Rights:
    """The client's rights on the nearest existing mailbox above *inside*, which it may perhaps not know of."""
    while inside := inside.rpartition(DELIMITER)[0]:
        rights = shared.by_name.get(inside)
        if rights is not None:
            return rights
        if await _exists(account, inside):
            return NONE
    return NONE


async def _exists(account: Account, name: str) -> bool:
    try:
        await account.mailbox(name)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            raise
        return False
    return True
