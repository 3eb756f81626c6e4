"""The events of NOTIFY (RFC 5465 §5)."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Event(Enum):
    """What may happen to a mailbox; the value is its name on the wire (RFC 5465 §8 event-name)."""

    MESSAGE_NEW = "MessageNew"
    MESSAGE_EXPUNGE = "MessageExpunge"
    FLAG_CHANGE = "FlagChange"
    ANNOTATION_CHANGE = "AnnotationChange"
    MAILBOX_NAME = "MailboxName"
    """A mailbox was created, deleted or renamed."""
    SUBSCRIPTION_CHANGE = "SubscriptionChange"
    MAILBOX_METADATA_CHANGE = "MailboxMetadataChange"
    SERVER_METADATA_CHANGE = "ServerMetadataChange"


OF_MESSAGES: Final = frozenset({Event.MESSAGE_NEW, Event.MESSAGE_EXPUNGE, Event.FLAG_CHANGE, Event.ANNOTATION_CHANGE})
"""RFC 5465 §8 message-event: the only events of the selected mailbox, and those told of others by STATUS."""

SUPPORTED: Final = (
    Event.MESSAGE_NEW,
    Event.MESSAGE_EXPUNGE,
    Event.FLAG_CHANGE,
    Event.MAILBOX_NAME,
    Event.SUBSCRIPTION_CHANGE,
    Event.MAILBOX_METADATA_CHANGE,
    Event.SERVER_METADATA_CHANGE,
)
"""The events that this server can tell, in the order of BADEVENT."""
