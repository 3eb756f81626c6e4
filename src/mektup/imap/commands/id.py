"""ID (RFC 2971): client and server identify themselves.

For logs and statistics only: nothing depends on it (RFC 2971 §3). Only the first ID of a session is logged: ID is
allowed before login, and repeated IDs must not fill the log.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from mektup.wire.requests import Id

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

MAX_LOGGED_BYTES = 1024
ANSWER = b'* ID ("name" "mektup" "version" "%b" "support-url" NIL)\r\n' % version("mektup").encode("ascii")


async def run(session: Conversation, request: Id) -> None:
    """Logs the client's identity, and answers every ID with the server's (RFC 2971 §3.2)."""
    if request.fields and not session.has_identified:
        session.has_identified = True
        told = b" ".join(b"%b=%b" % (name, value or b"NIL") for name, value in request.fields)
        session.services.log.info("client_id", client=told[:MAX_LOGGED_BYTES].decode("ascii", "backslashreplace"))
    session.write(ANSWER)
