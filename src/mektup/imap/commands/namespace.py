"""NAMESPACE (RFC 9051 §6.3.10): one personal namespace without a prefix.

INBOX is in it, as RFC 9051 §5.1.2 and RFC 2342 §2 ask; there is no namespace of other users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.terms.names import DELIMITER
from mektup.wire.requests import Namespace

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


async def run(session: Conversation, request: Namespace) -> None:
    """Tells where the account's mailboxes are."""
    session.write(b'* NAMESPACE (("" "%b")) NIL NIL\r\n' % DELIMITER.encode())
