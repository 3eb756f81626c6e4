"""The log of deliveries: a line for each message and recipient, whether it was stored or refused.

Senders, recipients and Message-IDs are a stranger's text: the log escapes and cuts all values. No line has content.
"""

from __future__ import annotations

from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from mektup.terms.errors import Refused

MESSAGE_ID_CHARACTERS = 250
"""How much of a Message-ID is shown."""

NULL_SENDER = "<>"
"""The sender of a bounce."""


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """Logs what happens to one message."""

    log: FilteringBoundLogger | None
    """None: the operator does not want these lines."""
    sender: str | None = None
    """As in the envelope; None where there is no envelope."""
    message_id: str = ""
    """Without angle brackets; empty if there is none, or if the message never came."""
    octets: int | None = None

    def delivered(self, *, user: str, mailbox: str, uid: int, seconds: float, recipient: str | None = None) -> None:
        """The message is on disk, after so many *seconds*. If several recipients share it, each has a line."""
        if self.log is not None:
            named = self._message(recipient)
            self.log.info("delivered", **named, user=user, mailbox=mailbox, uid=uid, seconds=round(seconds, 4))

    def refused(self, refusal: Refused, *, recipient: str | None = None, user: str | None = None) -> None:
        """The message or its recipient was refused."""
        if self.log is None:
            return
        code = None if refusal.code is None else refusal.code.name
        account = {} if user is None else {"user": user}
        self.log.warning("delivery_refused", **self._message(recipient), **account, code=code, reason=str(refusal))

    def _message(self, recipient: str | None) -> dict[str, object]:
        named: dict[str, object] = {}
        if self.message_id:
            named["message_id"] = self.message_id[:MESSAGE_ID_CHARACTERS]
        if self.sender is not None:
            named["sender"] = self.sender
        if recipient is not None:
            named["recipient"] = recipient
        if self.octets is not None:
            named["octets"] = self.octets
        return named
