"""CREATE (RFC 9051 §6.3.4), with the special uses of RFC 6154 §3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.answers import Answer
from mektup.imap.list_line import normal_name
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import SPECIAL_USES
from mektup.terms.names import PAST, mailbox_key
from mektup.wire import codes
from mektup.wire.requests import Create

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

USES_OF_MAILBOXES = {use.lower(): use for use in SPECIAL_USES if use not in ("\\All", "\\Flagged")}
"""All but \\All and \\Flagged: these are views of all mail, and mektup has no such mailboxes."""


async def run(session: Conversation, request: Create) -> Answer:
    """Creates a mailbox, and tells its MAILBOXID (RFC 8474 §4.1).

    Raises Refused(ALREADYEXISTS, CANNOT, USEATTR, LIMIT).
    """
    use = None
    if request.use:
        use = USES_OF_MAILBOXES.get(request.use[0].lower())
        if len(request.use) > 1 or use is None:
            raise Refused(Code.USEATTR, texts.ONE_USE.of(uses=", ".join(USES_OF_MAILBOXES.values())))
    if mailbox_key(request.mailbox) == PAST and use is None:
        # it is there in any case; from now on LIST shows it, so that a client that cannot type a name finds it
        await access.show_deleted(session, shows=True)
        return Answer(b"", texts.CREATED)
    located = await access.locate_new(session, request.mailbox)
    if use is not None and not located.is_own:
        raise Refused(Code.USEATTR, texts.NO_USE_FOR_OTHERS)
    created = await located.account.create(located.name, special_use=use)
    if session.notifications is not None and located.account is session.account:
        session.notifications.created(created)
    session.write(normal_name(request.mailbox, request.old_name))
    return Answer(codes.mailbox_id(created.mailboxid), texts.CREATED)
