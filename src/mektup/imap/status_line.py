"""The STATUS response (RFC 9051 §7.3.4), which STATUS and LIST RETURN (STATUS ...) give."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mektup.imap import modseqs
from mektup.store.interface import Mailbox
from mektup.wire.mailbox_names import encode

if TYPE_CHECKING:
    from mektup.imap.session import Session

COUNTERS = frozenset(("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT", "HIGHESTMODSEQ"))
"""Items that are fields of a Mailbox, of the same name and numbers."""


def status_line(session: Session, mailbox: Mailbox, items: tuple[str, ...]) -> bytes:
    """``* STATUS name (item value ...)``, in the order asked for."""
    if "HIGHESTMODSEQ" in items:
        # RFC 7162 §3.1.2.1: asking for it says that the client knows modseqs
        modseqs.use(session)
    form, values = _form(items, session.services.limits.message_bytes)
    return b"* STATUS %b (%b)\r\n" % (encode(mailbox.name, utf8=session.rev2), (form % values(mailbox)).encode("ascii"))


@lru_cache(maxsize=64)
def _form(items: tuple[str, ...], append_limit: int) -> tuple[str, Callable[[Mailbox], Any]]:
    """The items with places for their values, and what takes these from a mailbox."""
    forms, fields = [], []
    for item in items:
        if item in COUNTERS:
            forms.append(f"{item} %d")
            fields.append(item.lower())
        elif item == "MAILBOXID":
            forms.append("MAILBOXID (%s)")
            fields.append("mailboxid")
        else:
            forms.append(f"APPENDLIMIT {append_limit}")
    return " ".join(forms), attrgetter(*fields) if fields else lambda mailbox: ()
