"""What an error of PostgreSQL, or of the way to it, means to a client.

The functions in ``tables`` raise errors of their own, whose SQLSTATE begins with MK. All of them mean that nothing was
changed.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from mektup.store.faults import Fault, FaultRefused, Kind
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.counters import keyword_too_long, no_uids_left, too_many_keywords
from mektup.store.rules.mailbox_names import no_such_mailbox, no_such_target
from mektup.store.rules.quota import over_quota
from mektup.store.rules.refusals import message_is_gone, uncertain
from mektup.terms.errors import Refused
from mektup.terms.quota import Resource

ACCOUNT_GONE: Final = "MK001"
"""The account is gone, frozen, or on another shard."""
OVER_QUOTA: Final = "MK002"
"""Its detail is the resource and the limit."""
NO_MAILBOX: Final = "MK003"
NO_TARGET: Final = "MK004"
"""The target of a COPY or MOVE is not there."""
NO_MESSAGE: Final = "MK005"
TOO_MANY: Final = "MK006"
"""A limit, which the detail names."""
CHANGED: Final = "MK009"
"""Something is not what the node thought: it has to look again."""

AGAIN: Final = frozenset({"40001", "40P01"})
"""Nothing happened, because of another transaction: the same call again is right."""

_FULL: Final = frozenset({"53100"})
_MEMORY: Final = frozenset({"53200"})
_READ_ONLY: Final = frozenset({"25006"})
"""A primary that became a standby."""
_CONNECTIONS: Final = frozenset({"53300"})

NOT_CONNECTED: Final = (PoolTimeout, PoolClosed, TooManyRequests)
"""No connection was to be had, so nothing was asked."""


class StateChanged(Exception):
    """MK009: nothing was changed, and the node has to look at the account again."""


def refusal_of_function(error: psycopg.Error) -> Refused | None:
    """The refusal that a function of ``tables`` raised; None for another error. Raises StateChanged for MK009."""
    match error.sqlstate:
        case "MK001":
            return account_is_gone()
        case "MK002":
            resource, _, most = _detail(error).partition(" ")
            return over_quota(Resource(resource), int(most))
        case "MK003":
            return no_such_mailbox()
        case "MK004":
            return no_such_target()
        case "MK005":
            return message_is_gone()
        case "MK006":
            limit, _, most = _detail(error).partition(" ")
            return _beyond_limit(limit, int(most))
        case "MK009":
            raise StateChanged from error
    return None


def _detail(error: psycopg.Error) -> str:
    return error.diag.message_detail or ""


def _beyond_limit(limit: str, most: int) -> Refused:
    match limit:
        case "uids":
            return no_uids_left()
        case "keywords":
            return too_many_keywords(most)
    return keyword_too_long(most)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection is lost, so that it is not known what the server did."""
    if isinstance(error, psycopg.InterfaceError):
        return True
    return isinstance(error, psycopg.OperationalError) and (
        error.sqlstate is None or error.sqlstate[:2] in ("08", "57")
    )


def is_elsewhere(error: psycopg.Error) -> bool:
    """Whether another server is the primary now. Nothing was changed."""
    return error.sqlstate in _READ_ONLY


def fault_of(error: psycopg.Error, shard: str) -> Fault | None:
    """The fault of the machine that *error* tells; None where it is none, but a bug of ours."""
    if error.sqlstate in _FULL:
        kind = Kind.FULL
    elif error.sqlstate in _MEMORY:
        kind = Kind.MEMORY
    elif is_lost(error) or error.sqlstate in _CONNECTIONS or is_elsewhere(error) or isinstance(error, NOT_CONNECTED):
        kind = Kind.SHARD
    elif isinstance(error, psycopg.OperationalError) or error.sqlstate in AGAIN:
        kind = Kind.OTHER
    else:
        return None
    return Fault(kind, shard, str(error).strip() or type(error).__name__)


def refused_for(fault: Fault, *, is_uncertain: bool) -> FaultRefused:
    """The refusal for *fault*; *is_uncertain*: it is not known whether the change was made."""
    refused = fault.refusal()
    return uncertain(refused) if is_uncertain else refused
