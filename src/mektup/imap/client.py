"""What a client has enabled, as one value. What depends on it asks this value."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from mektup.terms.comparators import DEFAULT, Comparator


class Client(Struct, frozen=True):
    """What the client of a session understands beyond RFC 3501. It only grows (RFC 9051 §6.3.1), but for *comparator*.

    ``Conversation.enable`` replaces the session's value. An extension that changes how the server writes to the client,
    or reads its commands, has its field here.
    """

    rev2: bool = False
    """Whether the client enabled IMAP4rev2: ESEARCH replaces SEARCH, and there is no \\Recent."""
    utf8: bool = False
    """Whether mailbox names are UTF-8, in commands and in responses; else they are modified UTF-7 (RFC 9051 §5.1).

    IMAP4rev2 and UTF8=ACCEPT set it.
    """
    utf8_accept: bool = False
    """Whether the client enabled UTF8=ACCEPT (RFC 9755 §3)."""
    condstore: bool = False
    """Whether the client knows modseqs: FETCH lines then carry them (RFC 7162 §3.1)."""
    qresync: bool = False
    """Whether the client enabled QRESYNC (RFC 7162 §3.2.3)."""
    uidonly: bool = False
    """Whether the client enabled UIDONLY: no command and no response has sequence numbers (RFC 9586 §3)."""
    comparator: Comparator = DEFAULT
    """How SEARCH, SORT and THREAD compare texts; COMPARATOR changes it at any time (RFC 5255 §4.7)."""

    @property
    def hears_vanished(self) -> bool:
        """Whether VANISHED replaces EXPUNGE (RFC 7162 §3.2.10, RFC 9586 §3.4)."""
        return self.qresync or self.uidonly


NEW: Final = Client()
"""A client that has enabled nothing."""
