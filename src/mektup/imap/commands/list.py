"""LIST, basic and extended (RFC 9051 §6.3.9; RFC 5258, RFC 5819, RFC 6154 §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap.list_line import list_line
from mektup.imap.mailbox_tree import Entry, MailboxTree
from mektup.imap.patterns import Pattern
from mektup.imap.status_line import status_line
from mektup.wire.requests import List

if TYPE_CHECKING:
    from mektup.imap.session import Session


async def run(session: Session, request: List) -> bytes | None:
    """Lists mailboxes by name."""
    if not request.extended and request.patterns == ("",):
        # RFC 9051 §6.3.9.2: the empty name asks for the delimiter and the root of the reference
        session.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return None
    subscribed = await session.mail.subscriptions()
    tree = MailboxTree(await session.mail.mailboxes(), subscribed)
    pattern = Pattern(request.reference, request.patterns)
    for entry in tree.entries(with_unknown=request.select_subscribed):
        if not pattern.matches(entry.name):
            continue
        selected = _selected(request, entry)
        above_selected = request.recursive_match and _below_matches(request, tree, entry, pattern)
        if not (selected or above_selected):
            continue
        extended = b'("CHILDINFO" ("SUBSCRIBED"))' if above_selected else b""
        session.write(list_line(entry.name, _attributes(request, entry), utf8=session.rev2, extended=extended))
        # RFC 5819 §2: the STATUS follows its LIST; what is told for its children alone has none
        mailbox = entry.mailbox if selected else None
        if request.return_status is not None and mailbox is not None and mailbox.selectable:
            session.write(status_line(session, mailbox, request.return_status))
    return None


def _selected(request: List, entry: Entry) -> bool:
    if request.select_subscribed and not entry.subscribed:
        return False
    return not request.select_special_use or entry.special_use is not None


def _below_matches(request: List, tree: MailboxTree, entry: Entry, pattern: Pattern) -> bool:
    """RFC 5258 §3.5: whether something below is subscribed that the pattern itself does not show."""
    return any(_selected(request, below) and not pattern.matches(below.name) for below in tree.below(entry.name))


def _attributes(request: List, entry: Entry) -> list[str]:
    attributes = []
    if entry.mailbox is None:
        attributes.append("\\NonExistent")
    elif not entry.mailbox.selectable:
        attributes.append("\\Noselect")
    if entry.subscribed and (request.select_subscribed or request.return_subscribed):
        attributes.append("\\Subscribed")
    attributes.append("\\HasChildren" if entry.has_children else "\\HasNoChildren")
    if entry.special_use is not None:
        # without being asked too: macOS Mail and Outlook look for it in plain LIST
        attributes.append(entry.special_use)
    return attributes
