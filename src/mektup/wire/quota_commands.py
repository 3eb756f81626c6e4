"""The grammar of GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §7)."""

from __future__ import annotations

from mektup.terms.errors import ClientError
from mektup.wire import texts
from mektup.wire.arguments import end_after_mailbox, mailbox
from mektup.wire.cursor import CommandCursor
from mektup.wire.requests import GetQuota, GetQuotaRoot, SetQuota


def get_quota(cursor: CommandCursor, tag: bytes) -> GetQuota:
    """getquota = "GETQUOTA" SP quota-root-name; quota-root-name = astring."""
    cursor.expect_space(texts.A_QUOTA_ROOT)
    root = cursor.astring(texts.A_QUOTA_ROOT)
    cursor.expect_end()
    return GetQuota(tag, root)


def get_quota_root(cursor: CommandCursor, tag: bytes) -> GetQuotaRoot:
    """getquotaroot = "GETQUOTAROOT" SP mailbox."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    end_after_mailbox(cursor)
    return GetQuotaRoot(tag, name)


def set_quota(cursor: CommandCursor, tag: bytes) -> SetQuota:
    """setquota = "SETQUOTA" SP quota-root-name SP "(" [setquota-resource *(SP setquota-resource)] ")"."""
    cursor.expect_space(texts.A_QUOTA_ROOT)
    root = cursor.astring(texts.A_QUOTA_ROOT)
    cursor.expect_space(texts.LIMITS_SUCH_AS)
    column = cursor.column
    limits = cursor.parenthesized(_limit, texts.LIMITS_OF_RESOURCES)
    if len({name for name, _ in limits}) < len(limits):
        raise ClientError(texts.EACH_RESOURCE_ONCE, column)
    cursor.expect_end()
    return SetQuota(tag, root, tuple(limits))


def _limit(cursor: CommandCursor) -> tuple[str, int]:
    """setquota-resource = resource-name SP number64; resource-name = "STORAGE" / ... / atom."""
    name = cursor.expect_atom(texts.A_RESOURCE).decode("ascii")
    cursor.expect_space(texts.A_LIMIT)
    return name, cursor.number64(texts.A_LIMIT)
