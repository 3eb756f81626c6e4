"""Messages that APPEND uploads: each is admitted before the client sends it, and spooled as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import access, message_limit, texts
from mektup.store.rules.refusals import message_is_gone
from mektup.store.spool import MEMORY_BYTES, Spool, SpoolFile
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import KIB, MIB
from mektup.terms.numbers import Uid
from mektup.terms.texts import NO_SUCH_MAILBOX
from mektup.wire.receiver import LiteralOffered, RawCommand
from mektup.wire.requests import Append, AppendMessage, AppendStart, Replaced

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


HELD_BYTES = 4 * MIB
"""How many octets of one APPEND are held in memory; beyond that, only small messages are."""

SMALL_BYTES = 16 * KIB
"""Messages up to this size are held in memory in any case; ``Limits.literals`` bounds how many there can be."""


ASKED_BYTES = 64 * KIB
"""From this size on, it is asked whether the account has room before the client sends a message."""


class Uploads:
    """The spools of the current command, which share one file."""

    __slots__ = ("_file", "_held", "_size", "_spools", "_start", "_texts")

    def __init__(self) -> None:
        self._spools: list[Spool] = []
        self._file: SpoolFile | None = None
        self._size = self._held = 0
        """Octets of all spools but the last, and how many of them are in memory."""
        self._texts = 0
        """How many spools are texts of a CATENATE."""
        self._start: AppendStart | None = None
        """The part of the command before the literal that was admitted last."""

    @property
    def start(self) -> AppendStart | None:
        """The part of the current command before the literal that was admitted last; None for the first one."""
        return self._start

    async def admit(self, session: Conversation, start: AppendStart, offer: LiteralOffered) -> Spool:
        """Makes a spool for the offered message, before the client sends it.

        Raises ClientError in the wrong state, Refused(TRYCREATE) without the mailbox, Refused(TOOBIG) beyond
        APPENDLIMIT (RFC 9051 §6.3.12, RFC 7889 §4), Refused(OVERQUOTA) for a large message without room.
        """
        if session.account is None:
            raise ClientError(texts.APPEND_BEFORE_LOGIN)
        if start.replaced is not None:
            replaced_message(session, start.replaced)
        if offer.size == 0 and not start.catenates:
            # RFC 3502 §6.3.11: an empty message is an error; a client sends one to cancel its APPEND
            raise Refused(None, texts.EMPTY_MESSAGE)
        if not start.catenates:
            message_limit.require_room(session, len(self._spools) - self._texts)
        limit = session.services.limits.message_bytes
        size, held = self._size, self._held
        if self._spools:  # each is complete when the next is admitted
            size += self._spools[-1].size
            held += self._spools[-1].in_memory
        if offer.size + size > limit:
            raise Refused(Code.TOOBIG, texts.APPEND_TOO_BIG.of(octets=limit))
        try:
            located = await access.locate(session, start.mailbox, "i")
            located.check(await located.account.target(located.name))
        except Refused as refusal:
            if refusal.code is Code.NONEXISTENT:
                raise Refused(Code.TRYCREATE, NO_SUCH_MAILBOX) from refusal
            raise
        # RFC 8508 §3.4: for a REPLACE only the growth counts, which the transaction knows
        if offer.size > ASKED_BYTES and start.replaced is None:
            await located.account.quota.require_room(size + offer.size)
        self._size, self._held = size, held
        self._texts += start.catenates
        self._start = start
        memory = MEMORY_BYTES if held < HELD_BYTES else SMALL_BYTES
        return self.new_spool(session, memory, unchanged=offer.binary or start.catenates)

    def new_spool(self, session: Conversation, memory: int, *, unchanged: bool = False) -> Spool:
        """One more spool; see ``Spool``."""
        services = session.services
        if self._file is None:
            self._file = SpoolFile(services.spool_directory)
        spool = Spool(
            directory=services.spool_directory,
            faults=services.faults,
            memory=memory,
            shared=self._file,
            budget=services.spool_memory,
            unchanged=unchanged,
        )
        self._spools.append(spool)
        return spool

    def note(self, start: AppendStart) -> None:
        """Notes that the literal after *start* is accepted and is no message."""
        self._start = start

    def request(self, command: RawCommand) -> Append | None:
        """The request of *command* if it was parsed as its only message was admitted and nothing follows, or None."""
        start = self._start
        if start is None or start.parenthesized or len(command.literals) != 1 or command.fragments[-1]:
            return None
        if start.replaced is not None or start.catenates:
            return None
        message = AppendMessage(start.flags, start.internaldate, self._spools[0])
        return Append(start.tag, start.mailbox, (message,), start.old_name)

    def close(self) -> None:
        """Frees what the spools hold; may be called at any time."""
        for spool in self._spools:
            spool.close()
        self._spools.clear()
        self._size = self._held = self._texts = 0
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start = None


def replaced_message(session: Conversation, replaced: Replaced) -> Uid:
    """The message that a REPLACE removes from the selected mailbox.

    Raises ClientError where no mailbox is selected, or for a sequence number beyond it; Refused for a message that is
    gone, and where it may not be removed.
    """
    view = session.view
    if view is None:
        raise ClientError(texts.NEEDS_A_MAILBOX.of(command="REPLACE"))
    view.check_writable()
    view.require("te")
    found = view.resolve(replaced.number, by_uid=replaced.by_uid)
    if not found:
        raise message_is_gone()
    return found.first
