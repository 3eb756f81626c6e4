"""GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208).

Each account is one quota root, ``#user/NAME``, which all of its mailboxes share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mektup.imap import access, texts
from mektup.store.interface import Account
from mektup.store.quota import QuotaState
from mektup.terms.errors import Code, Refused
from mektup.terms.names import INBOX, account_key
from mektup.terms.quota import STORAGE_UNIT, OwnLimits, Resource
from mektup.wire import mailbox_names
from mektup.wire.requests import GetQuota, GetQuotaRoot, SetQuota
from mektup.wire.strings import string

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

_PREFIX: Final = "#user/"
"""RFC 9208 §4.1.2 names roots like this in its examples; a root may have any name."""


async def get(session: Conversation, request: GetQuota) -> None:
    """Tells usage and limits of a root. Raises Refused(NONEXISTENT), also for a root that the user may not see."""
    account = await _account(session, request.root)
    _tell(session, account, await account.quota.state())


async def get_root(session: Conversation, request: GetQuotaRoot) -> None:
    """Tells the root of a mailbox, which need not exist (RFC 9208 §4.1.2), and its usage and limits."""
    located = await access.locate(session, request.mailbox, "r")  # RFC 9208 §6
    name = mailbox_names.encode(located.shown, utf8=session.client.utf8)
    session.write(b"* QUOTAROOT %b %b\r\n" % (name, _root(located.account)))
    _tell(session, located.account, await located.account.quota.state())


async def set_(session: Conversation, request: SetQuota) -> None:
    """Replaces all limits of a root. Raises Refused(NOPERM, NONEXISTENT, and CANNOT for an unknown resource)."""
    if not session.services.is_administrator(session.mail.name):
        raise Refused(Code.NOPERM, texts.ONLY_ADMINISTRATORS)
    account = await _account(session, request.root)
    # RFC 9208 §4.1.3: limits that the client does not list are removed, those of the default too
    own: dict[Resource, int | None] = dict.fromkeys(Resource)
    for name, most in request.limits:
        resource = next((each for each in Resource if each.value == name), None)
        if resource is None:
            raise Refused(Code.CANNOT, texts.NO_SUCH_RESOURCE.of(resource=name))
        own[resource] = most * STORAGE_UNIT if resource is Resource.STORAGE else most
    limits: OwnLimits = own
    _tell(session, account, await account.quota.set_limits(limits))


async def _account(session: Conversation, root: bytes) -> Account:
    """The account of a root. Raises Refused(NONEXISTENT)."""
    prefix, name = root[: len(_PREFIX)], root[len(_PREFIX) :].decode("utf-8", "replace")
    if prefix == _PREFIX.encode():
        if account_key(name) == account_key(session.mail.name):
            return (await access.locate(session, INBOX)).account
        if session.services.is_administrator(session.mail.name):
            entry = await session.services.store.directory.find(name)
            if entry is not None:
                return await session.services.store.account(entry)
    raise Refused(Code.NONEXISTENT, texts.NO_SUCH_QUOTA_ROOT)


def _root(account: Account) -> bytes:
    return string(f"{_PREFIX}{account.name}".encode())


def _tell(session: Conversation, account: Account, state: QuotaState) -> None:
    """``* QUOTA root (resource usage limit ...)``, with the resources that have a limit (RFC 9208 §4.2.1)."""
    told: list[str] = []
    for resource, most in state.limits.items():
        used, unit = state.usage[resource], 1
        if resource is Resource.STORAGE:
            used, unit = used + STORAGE_UNIT - 1, STORAGE_UNIT
        told.append(f"{resource.value} {used // unit} {most // unit}")
    session.write(b"* QUOTA %b (%b)\r\n" % (_root(account), " ".join(told).encode("ascii")))
