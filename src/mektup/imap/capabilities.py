"""The table of capabilities. The greeting, CAPABILITY and the answer to a login list them (RFC 9051 §7.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


def _before_login(session: Conversation) -> bool:
    return session.account is None


def _may_start_tls(session: Conversation) -> bool:
    return _before_login(session) and session.services.can_start_tls and not session.peer.secure


def _may_compress(session: Conversation) -> bool:
    # RFC 4978 §5: a command for those who have logged in
    return session.account is not None and not session.peer.compressed


def _may_leave(session: Conversation) -> bool:
    return session.account is not None and not session.peer.compressed


def _login_disabled(session: Conversation) -> bool:
    # RFC 9051 §6.2.3: LOGIN is disabled where the connection would show the password
    return _before_login(session) and not session.services.authenticator.may_send_password(session.peer)


def _mechanisms(session: Conversation) -> Iterable[str]:
    return session.services.authenticator.mechanisms(session.peer, session.hidden)


def _largest_message(session: Conversation) -> Iterable[str]:
    return (str(session.services.limits.message_bytes),)


def _message_limit(session: Conversation) -> Iterable[str]:
    limit = session.services.limits.message_limit
    return (str(limit),) if limit else ()


def _save_limit(session: Conversation) -> Iterable[str]:
    # RFC 9738 §3: a server that limits more than COPY and APPEND announces MESSAGELIMIT instead
    limits = session.services.limits
    return (str(limits.save_limit),) if limits.save_limit and not limits.message_limit else ()


def _tells_progress(session: Conversation) -> bool:
    return session.services.limits.progress_seconds > 0


def _rights(session: Conversation) -> Iterable[str]:
    # RFC 4314 §2.2: only those that RFC 2086 does not have
    return ("kxte",)


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability, and the condition under which it is listed."""

    name: str
    document: str
    """Where it is specified: ``RFC 2177``, with a section if only that is meant."""
    when: Callable[[Conversation], bool] | None = None
    """None: always."""
    values: Callable[[Conversation], Iterable[str]] | None = None
    """The values after the name and ``=``; each makes a capability of its own. None for a capability without values."""

    def listed(self, session: Conversation) -> Iterable[str]:
        """The names to list for *session* now."""
        if self.when is not None and not self.when(session):
            return ()
        if self.values is None:
            return (self.name,)
        return (f"{self.name}={value}" for value in self.values(session))


CAPABILITIES: tuple[Capability, ...] = (
    Capability("IMAP4rev1", "RFC 3501"),
    Capability("IMAP4rev2", "RFC 9051"),
    Capability("LITERAL+", "RFC 7888"),
    Capability("SASL-IR", "RFC 4959"),
    Capability("ID", "RFC 2971"),
    Capability("ENABLE", "RFC 5161"),
    Capability("STARTTLS", "RFC 9051 §6.2.1", _may_start_tls),
    Capability("LOGINDISABLED", "RFC 9051 §6.2.3", _login_disabled),
    Capability("AUTH", "RFC 9051 §6.2.2", _before_login, _mechanisms),
    Capability("UNAUTHENTICATE", "RFC 8437", _may_leave),
    Capability("COMPRESS=DEFLATE", "RFC 4978", _may_compress),
    Capability("IDLE", "RFC 2177"),
    Capability("NOTIFY", "RFC 5465"),
    Capability("NAMESPACE", "RFC 2342 §4"),
    Capability("UTF8=ACCEPT", "RFC 9755 §3"),
    Capability("LANGUAGE", "RFC 5255 §3"),
    Capability("UNSELECT", "RFC 3691"),
    Capability("MULTIAPPEND", "RFC 3502"),
    Capability("CATENATE", "RFC 4469"),
    Capability("URL-PARTIAL", "RFC 5550 §5.7.1"),
    Capability("REPLACE", "RFC 8508"),
    Capability("UIDPLUS", "RFC 4315"),
    Capability("ESEARCH", "RFC 4731"),
    Capability("SEARCHRES", "RFC 5182"),
    Capability("WITHIN", "RFC 5032 §2"),
    Capability("SEARCH=FUZZY", "RFC 6203"),
    Capability("I18NLEVEL=2", "RFC 5255 §4.4"),
    Capability("SORT", "RFC 5256"),
    Capability("SORT=DISPLAY", "RFC 5957"),
    Capability("ESORT", "RFC 5267"),
    Capability("PARTIAL", "RFC 9394"),
    Capability("CONTEXT=SEARCH", "RFC 5267 §4"),
    Capability("CONTEXT=SORT", "RFC 5267 §4"),
    Capability("MULTISEARCH", "RFC 7377"),
    Capability("THREAD=ORDEREDSUBJECT", "RFC 5256"),
    Capability("THREAD=REFERENCES", "RFC 5256"),
    Capability("THREAD=REFS", "draft-ietf-morg-inthread"),
    Capability("MOVE", "RFC 6851"),
    Capability("CONDSTORE", "RFC 7162"),
    Capability("QRESYNC", "RFC 7162"),
    Capability("UIDONLY", "RFC 9586"),
    Capability("UIDBATCHES", "RFC 10022"),
    Capability("CHILDREN", "RFC 3348"),
    Capability("ACL", "RFC 4314"),
    Capability("RIGHTS", "RFC 4314 §5.1.1", values=_rights),
    Capability("LIST-MYRIGHTS", "RFC 8440"),
    Capability("LIST-EXTENDED", "RFC 5258"),
    Capability("LIST-STATUS", "RFC 5819"),
    Capability("SPECIAL-USE", "RFC 6154"),
    Capability("CREATE-SPECIAL-USE", "RFC 6154"),
    Capability("STATUS=SIZE", "RFC 8438"),
    Capability("METADATA", "RFC 5464"),
    Capability("METADATA-SERVER", "RFC 5464"),
    Capability("LIST-METADATA", "RFC 9590"),
    Capability("FILTERS", "RFC 5466"),
    Capability("QUOTA", "RFC 9208"),
    Capability("QUOTA=RES-STORAGE", "RFC 9208 §5.1"),
    Capability("QUOTA=RES-MESSAGE", "RFC 9208 §5.2"),
    Capability("QUOTA=RES-MAILBOX", "RFC 9208 §5.3"),
    Capability("QUOTASET", "RFC 9208 §4.1.3"),
    Capability("INPROGRESS", "RFC 9585", _tells_progress),
    Capability("SAVEDATE", "RFC 8514 §4.1"),
    Capability("OBJECTID", "RFC 8474 §3"),
    Capability("PREVIEW", "RFC 8970"),
    Capability("BINARY", "RFC 3516 §4.1"),
    # only where the operator has set it
    Capability("MESSAGELIMIT", "RFC 9738", values=_message_limit),
    Capability("SAVELIMIT", "RFC 9738", values=_save_limit),
    # the largest message that APPEND takes, in octets
    Capability("APPENDLIMIT", "RFC 7889 §5", values=_largest_message),
)
"""In the order of the answer. Nearly all are listed before login too, because some clients, such as imaplib, ask only
once. LITERAL+ includes LITERAL-: RFC 7888 §5 lets a server announce only one of them."""


def capabilities(session: Conversation) -> list[str]:
    """The capabilities of *session* in its present state. Each connection asks twice, and most rows are the same."""
    hidden = session.hidden
    names: list[str] = []
    for row in CAPABILITIES:
        if hidden and row.name.upper() in hidden:
            continue
        if row.when is None and row.values is None:
            names.append(row.name)
        else:
            names += row.listed(session)
    return names
