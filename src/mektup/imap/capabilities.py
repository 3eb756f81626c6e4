"""What mektup can do, in one table, which the greeting, CAPABILITY and a login's answer read (RFC 9051 §7.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mektup.imap.session import Session


def _always(session: Session) -> bool:
    return True


def _before_login(session: Session) -> bool:
    return session.account is None


def _may_start_tls(session: Session) -> bool:
    return _before_login(session) and session.services.can_start_tls and not session.peer.secure


def _login_disabled(session: Session) -> bool:
    # RFC 9051 §6.2.3: LOGIN is off where it would show the password
    return _before_login(session) and not session.services.authenticator.may_send_password(session.peer)


@dataclass(frozen=True, slots=True)
class Capability:
    """One name of the list, and when it is on it."""

    name: str
    when: Callable[[Session], bool] = _always


CAPABILITIES: tuple[Capability, ...] = (
    Capability("IMAP4rev1"),
    Capability("IMAP4rev2"),
    Capability("LITERAL+"),
    Capability("SASL-IR"),
    Capability("ID"),
    Capability("ENABLE"),
    Capability("STARTTLS", _may_start_tls),
    Capability("LOGINDISABLED", _login_disabled),
    Capability("IDLE"),
    Capability("NAMESPACE"),
    Capability("UNSELECT"),
    Capability("UIDPLUS"),
    Capability("ESEARCH"),
    Capability("SEARCHRES"),
    Capability("WITHIN"),
    Capability("SORT"),
    Capability("SORT=DISPLAY"),
    Capability("ESORT"),
    Capability("THREAD=ORDEREDSUBJECT"),
    Capability("THREAD=REFERENCES"),
    Capability("MOVE"),
    Capability("CHILDREN"),
    Capability("LIST-EXTENDED"),
    Capability("LIST-STATUS"),
    Capability("SPECIAL-USE"),
    Capability("CREATE-SPECIAL-USE"),
    Capability("STATUS=SIZE"),
    Capability("BINARY"),
)
"""In the order of the wire, and nearly all before login too, as some clients, imaplib among them, ask only once.
LITERAL+ stands for LITERAL- too: RFC 7888 §5 lets a server announce only one of them."""


def capabilities(session: Session) -> list[str]:
    """The list for *session* as it is now."""
    names = [row.name for row in CAPABILITIES if row.when(session)]
    # RFC 7889 §5: the largest message that APPEND takes, in octets
    names.append(f"APPENDLIMIT={session.services.limits.message_bytes}")
    if session.account is None:
        names += [f"AUTH={mechanism}" for mechanism in session.services.authenticator.mechanisms(session.peer)]
    return names
