"""The STATUS response (RFC 9051 §7.3.4), for STATUS and LIST RETURN (STATUS ...)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING

from mektup.imap import deleted_storage
from mektup.imap.sync import modseqs
from mektup.store.interface import Mailbox
from mektup.wire.mailbox_names import encode

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

COUNTERS = frozenset(("MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "RECENT", "HIGHESTMODSEQ"))
"""Items that are numeric fields of a Mailbox with the same name."""


def note_items(session: Conversation, items: tuple[str, ...]) -> None:
    """Notes what the *items* that a client asks for say of it."""
    if not session.client.condstore and "HIGHESTMODSEQ" in items:
        # RFC 7162 §3.1.2.1: asking for it says that the client knows modseqs
        modseqs.use(session)


def status_line(
    session: Conversation, mailbox: Mailbox, items: tuple[str, ...], deleted_octets: int | None = None
) -> bytes:
    """``* STATUS name (item value ...)``, in the order asked for; *deleted_octets* is for DELETED-STORAGE."""
    form, values = _form(items, session.services.limits.message_bytes)
    told = values(mailbox) if deleted_octets is None else values(mailbox, deleted_octets)
    return form % (encode(mailbox.name, utf8=session.client.utf8), *told)


@lru_cache(maxsize=64)
def _form(items: tuple[str, ...], append_limit: int) -> tuple[bytes, Callable[..., Iterable[object]]]:
    """The format of the line, and a function that takes the items' values from a mailbox and its deleted octets."""
    forms: list[str] = []
    fields: list[str] = []
    for item in items:
        if item in COUNTERS:
            forms.append(f"{item} %d")
            fields.append(item.lower())
        elif item == "MAILBOXID":
            forms.append("MAILBOXID (%b)")
            fields.append("mailboxid")
        elif item == deleted_storage.ITEM:
            forms.append(f"{item} %d")
            fields.append(item)
        else:
            forms.append(f"APPENDLIMIT {append_limit}")
    return f"* STATUS %b ({' '.join(forms)})\r\n".encode("ascii"), _getter(fields)


def _getter(fields: list[str]) -> Callable[..., Iterable[object]]:
    if len(fields) > 1 and "mailboxid" not in fields and deleted_storage.ITEM not in fields:
        return attrgetter(*fields)
    return lambda mailbox, deleted_octets=0: [_value(mailbox, field, deleted_octets) for field in fields]


def _value(mailbox: Mailbox, field: str, deleted_octets: int) -> object:
    if field == deleted_storage.ITEM:
        return deleted_octets
    return mailbox.mailboxid.encode("ascii") if field == "mailboxid" else getattr(mailbox, field)
