"""Tells a client what changes in mailboxes that it has not selected, as it asked for by NOTIFY (RFC 5465 §5).

``Notifications`` has the state of each watched mailbox as the client knows it. A watch on the account says which
mailboxes changed since; only these are read and compared. So a change costs one read of the account's log and one for
each mailbox that changed, however many are watched. Nothing grows while a client does not read: the watch notes a few
mailboxes, then only that it may be any, and the next telling compares states.

What is told of the selected mailbox is in ``updates``; ``interests.selected`` says what of it the client wants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mektup.imap import texts
from mektup.imap.answers import untagged_ok
from mektup.imap.list_line import list_line, old_name
from mektup.imap.mailbox_tree import entry_of
from mektup.imap.status_line import status_line
from mektup.imap.sync import metadata_news
from mektup.imap.sync.interests import Interests
from mektup.imap.sync.name_changes import Changed, NameChanges, gone_ids
from mektup.imap.sync.notifications import Notifications
from mektup.store.interface import Account, Mailbox
from mektup.store.mailbox_changes import MailboxChanges
from mektup.terms.errors import Code, Refused
from mektup.terms.mailbox_events import Event
from mektup.terms.numbers import ACCOUNT_ITSELF, MailboxId, ModSeq
from mektup.wire import codes

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

MOST_READS: Final = 3
"""How often the names are read again because they change meanwhile."""

BEHIND: Final = ModSeq(0)
"""The HIGHESTMODSEQ of a mailbox whose changes the client was not told yet, as it had the mailbox selected."""


async def begin(session: Conversation, notifications: Notifications, *, status: bool) -> None:
    """Reads the state of the watched mailboxes, and tells it if *status* is asked for (RFC 5465 §3.1).

    Raises Refused(NOTIFICATIONOVERFLOW) if there are too many.
    """
    account = notifications.account
    # in this order, so that what changes between two of these reads is told later
    modseqs = [each.highestmodseq for each in await account.mailboxes()]
    notifications.since = (await account.mailbox_changes(max(modseqs, default=ModSeq(0)))).modseq
    notifications.subscribed = await account.subscriptions()
    found = [each for each in await account.mailboxes() if notifications.events(each.name)]
    most = session.services.limits.notify_mailboxes
    if len(found) > most:
        raise Refused(Code.NOTIFICATIONOVERFLOW, texts.TOO_MANY_WATCHED.of(most=most))
    notifications.known = {each.id: each for each in found}
    await metadata_news.begin(session, notifications)
    if not status:
        return
    selected = None if session.view is None or session.view.account is not account else session.view.mailbox
    for each in found:
        items = _first_items(notifications.events(each.name))
        if items and each.selectable and each.id != selected:
            session.write(status_line(session, each, items))
            await session.give_way()


async def tell(session: Conversation) -> bool:
    """Tells what changed in other mailboxes; returns False if the store could not answer, so it must be tried again."""
    notifications = session.notifications
    if notifications is None or notifications.watch is None:
        return True
    try:
        await metadata_news.tell_of_server(session, notifications)
        if notifications.watch.fired:
            await _tell(session, notifications, notifications.watch.take())
    except Refused:
        notifications.watch.fire()
        return False
    return True


async def _tell(session: Conversation, notifications: Notifications, changed: Collection[MailboxId] | None) -> None:
    before = notifications.since
    log = await notifications.account.mailbox_changes(before)
    appeared: Collection[MailboxId] = ()
    if _has_names(log) or notifications.has_created:
        log, mailboxes, subscribed = await _read_together(notifications.account, notifications.since)
        appeared = await _tell_names(session, notifications, log, mailboxes, subscribed)
        if len(notifications.known) > session.services.limits.notify_mailboxes:
            _overflow(session, notifications)
            return
    if changed is None or ACCOUNT_ITSELF in changed:
        await metadata_news.tell(session, notifications, before)
    own_modseq = log.modseq if notifications.take_own_writes(log.modseq) else None
    notifications.since = log.modseq
    if changed is None:
        for mailbox in await notifications.account.mailboxes():
            await _tell_messages(session, notifications, mailbox, own_modseq)
        return
    for number in sorted({*changed, *appeared} & notifications.known.keys()):
        try:
            mailbox = await notifications.account.mailbox(notifications.known[number].name)
        except Refused as refusal:
            if refusal.code is not Code.NONEXISTENT:
                raise
            continue  # it was renamed or deleted just now, and the watch fires again
        await _tell_messages(session, notifications, mailbox, own_modseq)


def _has_names(log: MailboxChanges) -> bool:
    return bool(log.whole or log.mailboxes or log.gone or log.subscriptions)


async def _read_together(account: Account, since: ModSeq) -> tuple[MailboxChanges, Sequence[Mailbox], frozenset[str]]:
    """The log, all mailboxes and subscriptions at one moment. Raises Refused(INUSE) if they change all the time."""
    for _ in range(MOST_READS):
        log = await account.mailbox_changes(since)
        mailboxes, subscribed = await account.mailboxes(), await account.subscriptions()
        if not _has_names(await account.mailbox_changes(log.modseq)):
            return log, mailboxes, subscribed
    raise Refused(Code.INUSE, texts.MAILBOXES_CHANGE)


def _overflow(session: Conversation, notifications: Notifications) -> None:
    """Ends the notifications, as the client watches too many mailboxes (RFC 5465 §5.8)."""
    session.notify(Notifications(Interests(()), notifications.account))
    session.write(untagged_ok(codes.word(Code.NOTIFICATIONOVERFLOW), texts.NOTIFICATIONS_ENDED, session.translation))


# Names


async def _tell_names(
    session: Conversation,
    notifications: Notifications,
    log: MailboxChanges,
    mailboxes: Sequence[Mailbox],
    subscribed: frozenset[str],
) -> Collection[MailboxId]:
    """Tells changed names and subscriptions; returns the mailboxes that are watched from now on."""
    before, notifications.subscribed = notifications.subscribed, subscribed
    either = before | subscribed if before != subscribed else subscribed
    interests = notifications.interests

    def wants(event: Event, name: str) -> bool:
        return event in interests.of(name, subscribed=name in either)

    own = notifications.take_created()
    gone = gone_ids(log, notifications.known, own)
    names = NameChanges(log, notifications.known, gone, mailboxes, lambda name: wants(Event.MAILBOX_NAME, name))
    lines = names.lines()
    told = {line.name for line in lines if not line.is_gone}
    switched = sorted(before ^ subscribed)
    for name in switched:
        if name not in told and wants(Event.SUBSCRIPTION_CHANGE, name):
            lines.append(Changed(name))
    utf8 = session.client.utf8
    for line in lines:
        entry = entry_of(line.name, mailboxes, subscribed)
        if line.is_gone:
            entry = entry._replace(mailbox=None)
        extended = old_name(line.old_name, utf8=utf8)
        session.write(list_line(line.name, entry.attributes(subscribed=True), utf8=utf8, extended=extended))
        await session.give_way()
    for number in names.reappeared:
        del notifications.known[number]
    return _follow(notifications, log, gone, mailboxes, switched)


def _follow(
    notifications: Notifications,
    log: MailboxChanges,
    gone: Collection[MailboxId],
    mailboxes: Sequence[Mailbox],
    switched: Iterable[str],
) -> Collection[MailboxId]:
    """Watches the mailboxes that there are now; returns those that were not watched before."""
    known = notifications.known
    earlier = {known[number].name: known.pop(number).uidvalidity for number in gone}
    appeared: list[MailboxId] = []
    for name in {*(each.name for each in log.mailboxes), *switched}:
        mailbox = entry_of(name, mailboxes, frozenset()).mailbox
        if mailbox is None:
            continue  # only the subscription of a name
        before = known.get(mailbox.id)
        if before is None:
            notifications.follow(mailbox, uidvalidity=earlier.get(name))
            appeared.append(mailbox.id)
        elif notifications.events(name):
            known[mailbox.id] = replace(
                before, name=name, special_use=mailbox.special_use, selectable=mailbox.selectable
            )
        else:
            del known[mailbox.id]
    return appeared


# Messages


def _first_items(events: frozenset[Event]) -> tuple[str, ...]:
    """RFC 5465 §3.1: what the STATUS before the OK must contain."""
    items: tuple[str, ...] = ()
    if Event.MESSAGE_NEW in events:
        items = ("UIDVALIDITY", "UIDNEXT", "MESSAGES")
    if Event.FLAG_CHANGE in events:
        items = (*items, "UNSEEN", "HIGHESTMODSEQ")
    return items


async def _tell_messages(
    session: Conversation, notifications: Notifications, now: Mailbox, own_modseq: ModSeq | None
) -> None:
    """Tells the new counters of a mailbox that is not selected; not if the change *own_modseq* made them."""
    before = notifications.known.get(now.id)
    if before is None or before.name != now.name:
        return
    view = session.view
    if view is not None and view.mailbox == now.id and view.account is notifications.account:
        is_told = view.modseq == view.told_modseq == now.highestmodseq
        notifications.known[now.id] = now if is_told else replace(before, highestmodseq=BEHIND)
        return
    notifications.known[now.id] = now
    if (own_modseq == now.highestmodseq and before.highestmodseq != BEHIND) or not now.selectable:
        return
    items = _items(notifications.events(now.name), before, now, condstore=session.client.condstore)
    if items:
        session.write(status_line(session, now, items))
        await session.give_way()


def _items(events: frozenset[Event], before: Mailbox, now: Mailbox, *, condstore: bool) -> tuple[str, ...]:
    """The items of the STATUS that tells a change; none if it is not told (RFC 5465 §5.1 to §5.3)."""
    items: tuple[str, ...] = ()
    is_renewed = before.uidvalidity != now.uidvalidity
    has_others = (before.messages, before.uidnext) != (now.messages, now.uidnext)
    if Event.MESSAGE_NEW in events and (has_others or is_renewed):
        items = ("UIDNEXT", "MESSAGES")
    if Event.FLAG_CHANGE in events:
        has_news = items or before.unseen != now.unseen or is_renewed
        if has_news or (condstore and before.highestmodseq != now.highestmodseq):
            items = (*items, "UNSEEN")
    if not items:
        return ()
    return ("UIDVALIDITY", *items, "HIGHESTMODSEQ") if condstore else ("UIDVALIDITY", *items)
