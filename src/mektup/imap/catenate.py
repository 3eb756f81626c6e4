"""Messages that the server puts together of texts and of parts of other messages (RFC 4469)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from mektup.imap import access, texts
from mektup.imap.fetch.sections import streamed_section
from mektup.message.layout import unpack
from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.spool import MEMORY_BYTES, Spool
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import NumberSet
from mektup.wire import imap_urls
from mektup.wire.imap_urls import MessageUrl
from mektup.wire.requests import Catenated, Url

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

_PIECE_BYTES = 64 * 1024


async def assembled(session: Conversation, message: Catenated) -> Spool:
    """A spool with the octets of all parts, one after the other, unchanged; *message* is never whole in memory.

    Raises Refused(BADURL) for a URL that cannot be read, Refused(TOOBIG) where the message becomes too large.
    """
    most = session.services.limits.message_bytes
    spool = session.new_spool(MEMORY_BYTES, unchanged=True)
    for part in message.parts:
        if isinstance(part, Url):
            pieces = _named(session, part)
        else:
            assert isinstance(part, Spool)
            pieces = _uploaded(part)
        async for piece in pieces:
            if spool.size + len(piece) > most:
                raise Refused(Code.TOOBIG, texts.APPEND_TOO_BIG.of(octets=most))
            spool.write(piece)
            await session.give_way()
    if not spool.size:
        raise Refused(None, texts.EMPTY_MESSAGE)
    return spool


async def _uploaded(spool: Spool) -> AsyncIterator[bytes]:
    octets = spool.octets()
    for start in range(0, len(octets), _PIECE_BYTES):
        yield octets[start : start + _PIECE_BYTES]


async def _named(session: Conversation, url: Url) -> AsyncIterator[bytes]:
    """The octets that *url* names, as BODY has them. Raises Refused(BADURL)."""
    limits = session.services.limits
    asked = imap_urls.message_url(url.octets, limits)
    try:
        if asked is None:
            raise Refused(Code.BADURL, texts.BAD_URL)
        account, mailbox = await _mailbox(session, asked)
        uids: NumberSet[Uid] = NumberSet.span(Uid(asked.uid), Uid(asked.uid))
        async with aclosing(account.fetch(mailbox, uids, (Column.LAYOUT, Column.CONTENT))) as slices:
            rows = [row async for some in slices for row in some]
        for _, layout, content in rows:
            found = streamed_section(asked.section, unpack(layout), content, limits.header_bytes)
            if found is not None:
                async with aclosing(found.octets(account)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
        raise Refused(Code.BADURL, texts.BAD_URL)
    except Refused as refusal:
        # RFC 4469 §4.1: the code has the first URL that failed, whatever is wrong with it
        raise Refused(Code.BADURL, texts.BAD_URL, argument=imap_urls.shown(url.octets)) from refusal


async def _mailbox(session: Conversation, asked: MessageUrl) -> tuple[Account, MailboxId]:
    """The mailbox of a URL. Raises Refused where there is none that can be read."""
    name = asked.mailbox
    if name is None:
        if session.view is None:
            raise Refused(Code.BADURL, texts.BAD_URL)
        if asked.uidvalidity is None:
            session.view.require("r")
            return session.view.account, session.view.mailbox
        name = session.view.name
    located = await access.locate(session, name, "r")
    mailbox = await located.account.mailbox(located.name)
    located.check(mailbox.id)
    if not mailbox.selectable or asked.uidvalidity not in (None, mailbox.uidvalidity):
        raise Refused(Code.BADURL, texts.BAD_URL)
    return located.account, mailbox.id
