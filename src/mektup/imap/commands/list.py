"""LIST, basic and extended (RFC 9051 §6.3.9; RFC 5258, RFC 5819, RFC 6154 §2, RFC 8440)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mektup.imap import access, deleted_storage
from mektup.imap.list_line import list_line
from mektup.imap.mailbox_metadata import metadata_of
from mektup.imap.mailbox_tree import Entry, MailboxTree, levels_above
from mektup.imap.metadata_line import tell_metadata
from mektup.imap.patterns import Pattern
from mektup.imap.rights_line import rights_line
from mektup.imap.status_line import note_items, status_line
from mektup.store.interface import Mailbox
from mektup.store.metadata import Wanted
from mektup.terms.names import OTHER_USERS
from mektup.terms.rights import ALL, Rights
from mektup.wire.requests import List

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


NAMES_AT_ONCE = 4
"""How many names are compared with the patterns before other sessions may run: a comparison may take long."""


async def run(session: Conversation, request: List) -> None:
    """Lists mailboxes by name."""
    if not request.extended and request.patterns == ("",):
        # RFC 9051 §6.3.9.2: an empty pattern asks for the delimiter and the root of the reference
        session.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return
    pattern = Pattern(request.reference, request.patterns)
    # RECURSIVEMATCH looks below the names that match
    others = request.recursive_match or pattern.may_match(OTHER_USERS)
    subscribed = await session.mail.subscriptions()
    listed = await access.listed_with_past(session, pattern, subscribed, others=others)
    mailboxes = listed.mailboxes
    tree = MailboxTree(mailboxes, subscribed)
    above: set[str] = set()
    if request.recursive_match:
        above = await _above_hidden(session, request, tree, pattern)
        tree = MailboxTree(mailboxes, subscribed, above)
    told = await _told_of_mailboxes(session, request, mailboxes, pattern)
    for number, entry in enumerate(tree.entries(with_unknown=request.select_subscribed)):
        if number % NAMES_AT_ONCE == 0:
            await session.give_way()
        if pattern.matches_level(entry.name) if entry.is_level else pattern.matches(entry.name):
            rights = listed.rights.get(entry.name, ALL)
            _tell(session, request, entry, rights, told, above_hidden=entry.name in above)
            if request.return_metadata is not None:
                await _tell_metadata(session, request, entry, told)


class _Told(Struct, frozen=True):
    """What is told of the listed mailboxes, and read of all of them at once, by name."""

    octets: Mapping[str, int] | None
    """The octets of deleted messages, for DELETED-STORAGE; None where it was not asked for."""
    metadata: Mapping[str, Mapping[str, bytes]]
    """The entries of METADATA."""


_NOTHING = _Told(None, {})


async def _told_of_mailboxes(
    session: Conversation, request: List, mailboxes: Sequence[Mailbox], pattern: Pattern
) -> _Told:
    asks_octets = deleted_storage.ITEM in (request.return_status or ())
    if not asks_octets and request.return_metadata is None:
        return _NOTHING
    matching = [mailbox for mailbox in mailboxes if pattern.matches(mailbox.name)]
    octets: Mapping[str, int] | None = None
    if asks_octets:
        having = [mailbox for mailbox in matching if mailbox.deleted]
        octets = await deleted_storage.deleted_octets(session, having)
    metadata: Mapping[str, Mapping[str, bytes]] = {}
    if request.return_metadata is not None:
        metadata = await metadata_of(session, matching, Wanted(request.return_metadata))
    return _Told(octets, metadata)


def _tell(
    session: Conversation, request: List, entry: Entry, rights: Rights, told: _Told, *, above_hidden: bool
) -> None:
    selected = _selected(request, entry)
    if not (selected or above_hidden):
        return
    extended = b'("CHILDINFO" ("SUBSCRIBED"))' if above_hidden else b""
    attributes = entry.attributes(subscribed=request.select_subscribed or request.return_subscribed)
    session.write(list_line(entry.name, attributes, utf8=session.client.utf8, extended=extended))
    # RFC 5819 §2: STATUS follows its LIST; a name that is listed only for its children has none
    mailbox = entry.mailbox if selected else None
    if mailbox is None:
        return
    if request.return_myrights:
        # RFC 8440 §3: after the LIST of the same mailbox
        session.write(rights_line(entry.name, rights, utf8=session.client.utf8))
    if request.return_status is not None and mailbox.selectable and "r" in rights:
        note_items(session, request.return_status)
        deleted = None if told.octets is None else told.octets.get(mailbox.name, 0)
        session.write(status_line(session, mailbox, request.return_status, deleted))


async def _tell_metadata(session: Conversation, request: List, entry: Entry, told: _Told) -> None:
    if request.return_metadata is not None and _selected(request, entry) and entry.name in told.metadata:
        # RFC 9590 §3: an entry without a value is NIL
        values: dict[str, bytes | None] = dict.fromkeys(request.return_metadata)
        await tell_metadata(session, entry.name, {**values, **told.metadata[entry.name]})


async def _above_hidden(session: Conversation, request: List, tree: MailboxTree, pattern: Pattern) -> set[str]:
    """RFC 5258 §3.5: the names that match, and have selected names below them that do not match."""
    found: set[str] = set()
    for entry in tree.entries(with_unknown=True):
        await session.give_way()
        if _selected(request, entry) and not pattern.matches(entry.name):
            for name in levels_above(entry.name):
                if name in found:
                    break
                if pattern.matches(name):
                    found.add(name)
    return found


def _selected(request: List, entry: Entry) -> bool:
    if request.select_subscribed and not entry.subscribed:
        return False
    return not request.select_special_use or entry.special_use is not None
