"""The STATUS response (RFC 9051 §7.3.4), which STATUS and LIST RETURN (STATUS ...) give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mektup.imap import modseqs
from mektup.store.interface import Mailbox
from mektup.wire.mailbox_names import encode

if TYPE_CHECKING:
    from mektup.imap.session import Session

ITEMS: dict[str, Callable[[Mailbox], int]] = {
    "MESSAGES": lambda mailbox: mailbox.messages,
    "UIDNEXT": lambda mailbox: mailbox.uidnext,
    "UIDVALIDITY": lambda mailbox: mailbox.uidvalidity,
    "UNSEEN": lambda mailbox: mailbox.unseen,
    "DELETED": lambda mailbox: mailbox.deleted,
    "SIZE": lambda mailbox: mailbox.size,
    "RECENT": lambda mailbox: mailbox.recent,
    "HIGHESTMODSEQ": lambda mailbox: mailbox.highestmodseq,
}


def status_line(session: Session, mailbox: Mailbox, items: Sequence[str]) -> bytes:
    """``* STATUS name (item value ...)``, in the order asked for."""
    if "HIGHESTMODSEQ" in items:
        # RFC 7162 §3.1.2.1: asking for it says that the client knows modseqs
        modseqs.use(session)
    values = " ".join(f"{item} {_value(session, mailbox, item)}" for item in items)
    return b"* STATUS %b (%b)\r\n" % (encode(mailbox.name, utf8=session.rev2), values.encode("ascii"))


def _value(session: Session, mailbox: Mailbox, item: str) -> int | str:
    if item == "MAILBOXID":
        return f"({mailbox.mailboxid})"
    if item == "APPENDLIMIT":
        return session.services.limits.message_bytes
    return ITEMS[item](mailbox)
