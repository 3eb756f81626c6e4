"""COMPRESS (RFC 4978)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.terms.errors import ClientError
from mektup.wire.requests import Compress

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

ACTIVE = Answer(b"", texts.DEFLATE_IS_ACTIVE)


async def run(session: Conversation, request: Compress) -> None:
    """Compresses all that follows the OK, in both directions. Raises ClientError if it is compressed already."""
    if session.peer.compressed:
        raise ClientError(texts.COMPRESSED_ALREADY)
    if session.receiver.has_buffered or session.peer.has_unread:
        # RFC 4978 §3: the client waits for the answer, because it cannot know before whether to compress
        raise ClientError(texts.NOTHING_AFTER_COMPRESS)
    session.answer(ACTIVE)
    session.peer.start_compression()
