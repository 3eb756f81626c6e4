"""What an account may hold (RFC 9208): the resources that are counted, and limits on them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Resource(Enum):
    """A resource that is counted for each account; the value is its name in IMAP (RFC 9208 §5)."""

    STORAGE = "STORAGE"
    """Octets of all messages, each copy counted. IMAP tells it in units of 1,024 octets."""
    MESSAGE = "MESSAGE"
    """Messages, each copy counted."""
    MAILBOX = "MAILBOX"
    """Mailboxes, without names that exist only because they have children."""


QuotaLimits = Mapping[Resource, int]
"""The most of each resource. A resource that is not in it has no limit."""

OwnLimits = Mapping[Resource, int | None]
"""The limits that one account has in place of the default ones; None for a resource that has no limit."""

NO_QUOTA: Final[QuotaLimits] = {}

STORAGE_UNIT: Final = 1024
"""Octets in the unit of STORAGE on the wire (RFC 9208 §5.1)."""
