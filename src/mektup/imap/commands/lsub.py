"""LSUB (RFC 3501 §6.3.9), for clients older than LIST (SUBSCRIBED)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access
from mektup.imap.list_line import list_line
from mektup.imap.mailbox_tree import MailboxTree, levels_above
from mektup.imap.patterns import Pattern
from mektup.wire.requests import Lsub

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Lsub) -> None:
    """Lists subscribed names."""
    # only for the special uses, which no mailbox of another user has
    tree = MailboxTree((await access.listed(session, others=False)).mailboxes, await session.mail.subscriptions())
    pattern = Pattern(request.reference, (request.pattern,))
    for name, subscribed in (await _names(session, tree, pattern)).items():
        await session.give_way()
        attributes = [] if subscribed else ["\\Noselect"]
        entry = tree.find(name)
        if entry is not None and entry.special_use is not None:
            attributes.append(entry.special_use)
        session.write(list_line(name, attributes, utf8=session.client.utf8, word=b"LSUB"))


async def _names(session: Conversation, tree: MailboxTree, pattern: Pattern) -> dict[str, bool]:
    """Matching names in order, and whether each is subscribed itself.

    A name that is not subscribed, but has subscribed names below it that ``%`` does not reach, is listed with
    \\Noselect.
    """
    names: dict[str, bool] = {}
    for entry in tree.entries(with_unknown=True):
        await session.give_way()
        if not entry.subscribed:
            continue
        if pattern.matches(entry.name):
            names[entry.name] = True
            continue
        above = next(filter(pattern.matches, levels_above(entry.name)), None)
        if above is not None:
            names.setdefault(above, False)
    return names
