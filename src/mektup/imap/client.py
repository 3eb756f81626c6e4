"""What a client has enabled, as one value. What depends on it asks this value."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Client(Struct, frozen=True):
    """What the client of a session understands beyond RFC 3501. It only grows (RFC 9051 §6.3.1).

    ``Conversation.enable`` replaces the session's value. An extension that changes how the server writes to the client,
    or reads its commands, has its field here.
    """

    rev2: bool = False
    """Whether the client enabled IMAP4rev2: ESEARCH replaces SEARCH, and there is no \\Recent."""
    utf8: bool = False
    """Whether mailbox names are UTF-8, in commands and in responses; else they are modified UTF-7 (RFC 9051 §5.1)."""
    condstore: bool = False
    """Whether the client knows modseqs: FETCH lines then carry them (RFC 7162 §3.1)."""
    qresync: bool = False
    """Whether the client enabled QRESYNC: VANISHED replaces EXPUNGE (RFC 7162 §3.2.3)."""


NEW: Final = Client()
"""A client that has enabled nothing."""
