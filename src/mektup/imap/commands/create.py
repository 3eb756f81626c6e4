"""CREATE (RFC 9051 §6.3.4), with the special uses of RFC 6154 §3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.list_line import normal_name
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import SPECIAL_USES
from mektup.wire.requests import Create

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

USES_OF_MAILBOXES = {use.lower(): use for use in SPECIAL_USES if use not in ("\\All", "\\Flagged")}
"""All but \\All and \\Flagged: these are views of all mail, and mektup has no such mailboxes."""


async def run(session: Conversation, request: Create) -> None:
    """Creates a mailbox. Raises Refused(ALREADYEXISTS, CANNOT, USEATTR, LIMIT)."""
    use = None
    if request.use:
        use = USES_OF_MAILBOXES.get(request.use[0].lower())
        if len(request.use) > 1 or use is None:
            raise Refused(Code.USEATTR, texts.ONE_USE.of(uses=", ".join(USES_OF_MAILBOXES.values())))
    await session.mail.create(request.mailbox, special_use=use)
    session.write(normal_name(request.mailbox, request.old_name))
