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

MAX_SHOWN_BYTES = 100
"""At most so much of the program's name and version is kept for people who look after the server."""

ANSWER = b'* ID ("name" "mektup" "version" "%b" "support-url" NIL)\r\n' % version("mektup").encode("ascii")


async def run(session: Conversation, request: Id) -> None:
    """Logs the client's identity, and answers every ID with the server's (RFC 2971 §3.2)."""
    if request.fields and session.identity is None:
        fields = {name.lower(): value or b"" for name, value in request.fields}
        program = b" ".join(filter(None, (fields.get(b"name"), fields.get(b"version"))))
        session.identity = program[:MAX_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        told = b" ".join(b"%b=%b" % (name, value or b"NIL") for name, value in request.fields)
        session.services.log.info("client_id", client=told[:MAX_LOGGED_BYTES].decode("ascii", "backslashreplace"))
    session.write(ANSWER)
