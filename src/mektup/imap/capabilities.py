"""The table of capabilities. The greeting, CAPABILITY and the answer to a login list them (RFC 9051 §7.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


def _always(session: Conversation) -> bool:
    return True


def _before_login(session: Conversation) -> bool:
    return session.account is None


def _may_start_tls(session: Conversation) -> bool:
    return _before_login(session) and session.services.can_start_tls and not session.peer.secure


def _may_compress(session: Conversation) -> bool:
    # RFC 4978 §5: a command for those who have logged in
    return session.account is not None and not session.peer.compressed


def _login_disabled(session: Conversation) -> bool:
    # RFC 9051 §6.2.3: LOGIN is disabled where the connection would show the password
    return _before_login(session) and not session.services.authenticator.may_send_password(session.peer)


def _mechanisms(session: Conversation) -> Iterable[str]:
    return session.services.authenticator.mechanisms(session.peer)


def _largest_message(session: Conversation) -> Iterable[str]:
    return (str(session.services.limits.message_bytes),)


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability, and the condition under which it is listed."""

    name: str
    when: Callable[[Conversation], bool] = _always
    values: Callable[[Conversation], Iterable[str]] | None = None
    """The values after the name and ``=``; each makes a capability of its own. None for a capability without values."""

    def listed(self, session: Conversation) -> Iterable[str]:
        """The names to list for *session* now."""
        if not self.when(session):
            return ()
        if self.values is None:
            return (self.name,)
        return (f"{self.name}={value}" for value in self.values(session))


CAPABILITIES: tuple[Capability, ...] = (
    Capability("IMAP4rev1"),
    Capability("IMAP4rev2"),
    Capability("LITERAL+"),
    Capability("SASL-IR"),
    Capability("ID"),
    Capability("ENABLE"),
    Capability("STARTTLS", _may_start_tls),
    Capability("LOGINDISABLED", _login_disabled),
    Capability("AUTH", _before_login, _mechanisms),
    Capability("COMPRESS=DEFLATE", _may_compress),
    Capability("IDLE"),
    Capability("NAMESPACE"),  # RFC 2342 §4
    Capability("UNSELECT"),
    Capability("UIDPLUS"),
    Capability("ESEARCH"),
    Capability("SEARCHRES"),
    Capability("WITHIN"),  # RFC 5032 §2
    Capability("SORT"),
    Capability("SORT=DISPLAY"),
    Capability("ESORT"),
    Capability("THREAD=ORDEREDSUBJECT"),
    Capability("THREAD=REFERENCES"),
    Capability("MOVE"),
    Capability("CONDSTORE"),
    Capability("QRESYNC"),
    Capability("CHILDREN"),
    Capability("LIST-EXTENDED"),
    Capability("LIST-STATUS"),
    Capability("SPECIAL-USE"),
    Capability("CREATE-SPECIAL-USE"),
    Capability("STATUS=SIZE"),
    Capability("BINARY"),  # RFC 3516 §4.1
    # RFC 7889 §5: the largest message that APPEND takes, in octets
    Capability("APPENDLIMIT", values=_largest_message),
)
"""In the order of the answer. Nearly all are listed before login too, because some clients, such as imaplib, ask only
once. LITERAL+ includes LITERAL-: RFC 7888 §5 lets a server announce only one of them."""


def capabilities(session: Conversation) -> list[str]:
    """The capabilities of *session* in its present state."""
    return [name for row in CAPABILITIES for name in row.listed(session)]
