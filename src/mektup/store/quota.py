"""What an account holds and may hold (RFC 9208): ``Account.quota``.

The usage is the sum of the counters of the account's mailboxes, which change in the same transaction as the messages.
A change that makes the usage of a resource grow beyond its limit is refused inside its transaction with OVERQUOTA.
Whatever does not add to the account is never refused, also where the account is over its quota already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mektup.terms.numbers import MailboxId
from mektup.terms.quota import NO_QUOTA, OwnLimits, QuotaLimits, Resource


class DefaultQuota:
    """The limits of accounts that have none of their own; shared by all accounts of a store."""

    __slots__ = ("limits",)

    def __init__(self, limits: QuotaLimits = NO_QUOTA) -> None:
        self.limits = limits
        """May be replaced at any time; the next change of an account uses it."""


@dataclass(frozen=True, slots=True)
class QuotaState:
    """The quota of an account at one moment."""

    usage: Mapping[Resource, int]
    """Has every resource."""
    limits: QuotaLimits
    """The limits in force."""
    own: OwnLimits
    """Those of them that the account has in place of the default."""


class AccountQuota(Protocol):
    """The quota of one account."""

    async def state(self) -> QuotaState:
        """The usage and the limits."""

    async def set_limits(self, own: OwnLimits) -> QuotaState:
        """Replaces the account's own limits; the default counts for each resource that is not in *own*."""

    async def require_room(self, octets: int) -> None:
        """Raises Refused(OVERQUOTA) where a message of *octets* cannot be added now.

        To refuse it before it is sent; ``Account.append`` decides.
        """

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        """The octets of the messages with \\Deleted in each of *mailboxes* that exists (RFC 9208 §4.1.4)."""
