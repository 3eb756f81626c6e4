"""GETMETADATA and SETMETADATA (RFC 5464)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mektup.imap import access, texts
from mektup.imap.access import Located
from mektup.imap.answers import Answer
from mektup.imap.filters import check_filters
from mektup.imap.mailbox_metadata import ONE_OF, SPECIAL_USE, metadata_of
from mektup.imap.metadata_line import tell_metadata
from mektup.imap.server_metadata import ADMIN, entries_of_server
from mektup.store.metadata import Values, Wanted
from mektup.terms.errors import Code, Refused
from mektup.terms.names import INBOX
from mektup.terms.numbers import ACCOUNT_ITSELF
from mektup.wire import codes
from mektup.wire.requests import GetMetadata, SetMetadata

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

_SHARED: Final = "/shared/"


async def get(session: Conversation, request: GetMetadata) -> Answer | None:
    """Tells entries of a mailbox, or for an empty name of the server. Raises Refused(NONEXISTENT, NOPERM)."""
    wanted = Wanted(request.entries, request.depth)
    if request.mailbox:
        located = await _locate(session, request.mailbox)
        shown, found = located.shown, await _of_mailbox(session, located, wanted)
    else:
        shown, found = "", await entries_of_server(session, wanted)
    values: dict[str, bytes | None] = {}
    if request.depth == 0:
        # RFC 5464 §4.2: a response is required, so an entry without a value is NIL; below a name there is only what is
        values.update(dict.fromkeys(request.entries))
    values.update(found)
    longest = 0
    if request.maxsize is not None:
        longest = max((len(value) for value in found.values() if len(value) > request.maxsize), default=0)
        values = {name: value for name, value in values.items() if value is None or len(value) <= request.maxsize}
    await tell_metadata(session, shown, values)
    if longest:
        return Answer(codes.long_entries(longest), texts.COMPLETED.of(command="GETMETADATA"))
    return None


async def set_(session: Conversation, request: SetMetadata) -> None:
    """Sets entries, all or none. Raises Refused(NOPERM, NONEXISTENT, CANNOT, METADATA_MAXSIZE, METADATA_TOOMANY)."""
    values: Values = dict(request.values)
    if request.mailbox:
        await _set_of_mailbox(session, request.mailbox, values)
    else:
        await _set_of_server(session, values)


async def _locate(session: Conversation, name: str) -> Located:
    """The mailbox *name*, if the client may read and set its private entries (RFC 5464 §3.3). Raises Refused."""
    located = await access.locate(session, name, "l")
    if not ONE_OF & located.rights:
        raise Refused(Code.NOPERM, texts.NO_RIGHT_TO_METADATA)
    return located


async def _of_mailbox(session: Conversation, located: Located, wanted: Wanted) -> Mapping[str, bytes]:
    mailbox = await located.account.mailbox(located.name)
    located.check(mailbox.id)
    # as in LIST: mailboxes of others have no special use
    told = replace(mailbox, name=located.shown, special_use=mailbox.special_use if located.is_own else None)
    return (await metadata_of(session, (told,), wanted)).get(told.name, {})


async def _set_of_mailbox(session: Conversation, name: str, values: Values) -> None:
    located = await _locate(session, name)
    if "w" not in located.rights and any(entry.startswith(_SHARED) for entry in values):
        raise Refused(Code.NOPERM, texts.NO_RIGHT_TO_METADATA)
    if SPECIAL_USE in values:
        raise Refused(Code.CANNOT, texts.ENTRY_IS_READ_ONLY.of(entry=SPECIAL_USE))
    mailbox = await located.account.mailbox(located.name)
    located.check(mailbox.id)
    await located.account.metadata.set_entries(mailbox.id, session.mail.id, values)


async def _set_of_server(session: Conversation, values: Values) -> None:
    if ADMIN in values:
        raise Refused(Code.CANNOT, texts.ENTRY_IS_READ_ONLY.of(entry=ADMIN))
    check_filters(values, session.services.limits)
    shared = [entry for entry in values if entry.startswith(_SHARED)]
    if not shared:
        account = (await access.locate(session, INBOX)).account
        await account.metadata.set_entries(ACCOUNT_ITSELF, account.id, values)
        return
    if not session.services.is_administrator(session.mail.name):
        raise Refused(Code.NOPERM, texts.ONLY_ADMINISTRATORS)
    if len(shared) < len(values):
        # they are in two places, and RFC 5464 §4.3 demands all or none
        raise Refused(Code.CANNOT, texts.PRIVATE_OR_SHARED)
    await session.services.store.server_metadata.set_entries(values)
