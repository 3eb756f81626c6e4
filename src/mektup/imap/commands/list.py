"""LIST, basic and extended (RFC 9051 §6.3.9; RFC 5258, RFC 5819, RFC 6154 §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.list_line import list_line
from mektup.imap.mailbox_tree import Entry, MailboxTree, levels_above
from mektup.imap.patterns import Pattern
from mektup.imap.status_line import status_line
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
    mailboxes, subscribed = await session.mail.mailboxes(), await session.mail.subscriptions()
    tree = MailboxTree(mailboxes, subscribed)
    pattern = Pattern(request.reference, request.patterns)
    above: set[str] = set()
    if request.recursive_match:
        above = await _above_hidden(session, request, tree, pattern)
        tree = MailboxTree(mailboxes, subscribed, above)
    for number, entry in enumerate(tree.entries(with_unknown=request.select_subscribed)):
        if number % NAMES_AT_ONCE == 0:
            await session.give_way()
        if pattern.matches(entry.name):
            _tell(session, request, entry, above_hidden=entry.name in above)


def _tell(session: Conversation, request: List, entry: Entry, *, above_hidden: bool) -> None:
    selected = _selected(request, entry)
    if not (selected or above_hidden):
        return
    extended = b'("CHILDINFO" ("SUBSCRIBED"))' if above_hidden else b""
    session.write(list_line(entry.name, _attributes(request, entry), utf8=session.client.utf8, extended=extended))
    # RFC 5819 §2: STATUS follows its LIST; a name that is listed only for its children has none
    mailbox = entry.mailbox if selected else None
    if request.return_status is not None and mailbox is not None and mailbox.selectable:
        session.write(status_line(session, mailbox, request.return_status))


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


def _attributes(request: List, entry: Entry) -> list[str]:
    attributes = []
    if entry.mailbox is None:
        attributes.append("\\NonExistent")
    elif not entry.mailbox.selectable:
        attributes.append("\\Noselect")
    if entry.subscribed and (request.select_subscribed or request.return_subscribed):
        attributes.append("\\Subscribed")
    # RFC 9051 §6.3.9.5, RFC 5258 §4: listed with every name, requested or not
    attributes.append("\\HasChildren" if entry.has_children else "\\HasNoChildren")
    if entry.special_use is not None:
        # listed even if not requested: macOS Mail and Outlook look for it in plain LIST
        attributes.append(entry.special_use)
    return attributes
