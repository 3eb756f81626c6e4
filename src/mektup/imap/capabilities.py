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


def _after_login(session: Session) -> bool:
    return session.account is not None


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
    Capability("IDLE", _after_login),
    Capability("NAMESPACE", _after_login),
    Capability("UNSELECT", _after_login),
    Capability("UIDPLUS", _after_login),
    Capability("ESEARCH", _after_login),
    Capability("SEARCHRES", _after_login),
    Capability("WITHIN", _after_login),
    Capability("SORT", _after_login),
    Capability("SORT=DISPLAY", _after_login),
    Capability("ESORT", _after_login),
    Capability("THREAD=ORDEREDSUBJECT", _after_login),
    Capability("THREAD=REFERENCES", _after_login),
    Capability("MOVE", _after_login),
    Capability("CHILDREN", _after_login),
    Capability("LIST-EXTENDED", _after_login),
    Capability("LIST-STATUS", _after_login),
    Capability("SPECIAL-USE", _after_login),
    Capability("CREATE-SPECIAL-USE", _after_login),
    Capability("STATUS=SIZE", _after_login),
    Capability("BINARY", _after_login),
)
"""In the order of the wire. LITERAL+ stands for LITERAL- too: RFC 7888 §5 lets a server announce only one of them."""


def capabilities(session: Session) -> list[str]:
    """The list for *session* as it is now."""
    names = [row.name for row in CAPABILITIES if row.when(session)]
    if session.account is None:
        names += [f"AUTH={mechanism}" for mechanism in session.services.authenticator.mechanisms(session.peer)]
    else:
        # RFC 7889 §5: the largest message that APPEND takes, in octets
        names.append(f"APPENDLIMIT={session.services.limits.message_bytes}")
    return names
