"""When a change is refused because of the account's quota (RFC 9208 §4.3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mektup.store import texts
from mektup.store.quota import QuotaState
from mektup.terms.errors import Code, Refused
from mektup.terms.quota import STORAGE_UNIT, OwnLimits, QuotaLimits, Resource

MOST: Final = 2**63 - 1
"""The highest limit, in octets for STORAGE: an engine stores numbers of 64 bits."""


def in_force(own: OwnLimits, default: QuotaLimits) -> QuotaLimits:
    """The limits that count for an account."""
    limits = {**default, **own}
    return {resource: most for resource in Resource if (most := limits.get(resource)) is not None}


def require_growth_within(grown: Mapping[Resource, int], usage: Mapping[Resource, int], limits: QuotaLimits) -> None:
    """Raises Refused(OVERQUOTA) where a resource has *grown* beyond its limit. *usage* is that after the change."""
    for resource, most in limits.items():
        if grown[resource] > 0 and usage[resource] > most:
            raise over_quota(resource, most)


def require_room(state: QuotaState, octets: int) -> None:
    """Raises Refused(OVERQUOTA) where one more message of *octets* exceeds a limit."""
    grown = {Resource.STORAGE: octets, Resource.MESSAGE: 1, Resource.MAILBOX: 0}
    usage = {resource: used + grown[resource] for resource, used in state.usage.items()}
    require_growth_within(grown, usage, state.limits)


def over_quota(resource: Resource, most: int) -> Refused:
    """The refusal of a change that would exceed the limit *most*."""
    match resource:
        case Resource.STORAGE:
            text = texts.STORAGE_IS_FULL.of(kib=most // STORAGE_UNIT)
        case Resource.MESSAGE:
            text = texts.MESSAGES_ARE_FULL.of(count=most)
        case Resource.MAILBOX:
            text = texts.MAILBOXES_ARE_FULL.of(count=most)
    return Refused(Code.OVERQUOTA, text)
