"""Messages that APPEND uploads: each is admitted before the client sends it, and spooled as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mektup.imap import texts
from mektup.store.spool import MEMORY_BYTES, Spool, SpoolFile
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import KIB, MIB
from mektup.terms.texts import NO_SUCH_MAILBOX
from mektup.wire.receiver import LiteralOffered, RawCommand
from mektup.wire.requests import Append, AppendMessage, AppendStart

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation


HELD_BYTES = 4 * MIB
"""How many octets of one APPEND are held in memory; beyond that, only small messages are."""

SMALL_BYTES = 16 * KIB
"""Messages up to this size are held in memory in any case; ``Limits.literals`` bounds how many there can be."""


class Uploads:
    """The spools of the current command, which share one file."""

    __slots__ = ("_file", "_held", "_size", "_spools", "_start")

    def __init__(self) -> None:
        self._spools: list[Spool] = []
        self._file: SpoolFile | None = None
        self._size = self._held = 0
        """Octets of all spools but the last, and how many of them are in memory."""
        self._start: AppendStart | None = None
        """The part of the command before the message that was admitted last."""

    def __bool__(self) -> bool:
        return bool(self._spools)

    async def admit(self, session: Conversation, start: AppendStart, offer: LiteralOffered) -> Spool:
        """Makes a spool for the offered message, before the client sends it.

        Raises ClientError in the wrong state, Refused(TRYCREATE) without the mailbox, Refused(TOOBIG) beyond
        APPENDLIMIT (RFC 9051 §6.3.12, RFC 7889 §4).
        """
        if session.account is None:
            raise ClientError(texts.APPEND_BEFORE_LOGIN)
        if offer.size == 0:
            # RFC 3502 §6.3.11: an empty message is an error; a client sends one to cancel its APPEND
            raise Refused(None, texts.EMPTY_MESSAGE)
        limit = session.services.limits.message_bytes
        size, held = self._size, self._held
        if self._spools:  # each is complete when the next is admitted
            size += self._spools[-1].size
            held += self._spools[-1].in_memory
        if offer.size + size > limit:
            raise Refused(Code.TOOBIG, texts.APPEND_TOO_BIG.of(octets=limit))
        try:
            await session.account.target(start.mailbox)
        except Refused as refusal:
            if refusal.code is Code.NONEXISTENT:
                raise Refused(Code.TRYCREATE, NO_SUCH_MAILBOX) from refusal
            raise
        memory = MEMORY_BYTES if held < HELD_BYTES else SMALL_BYTES
        services = session.services
        directory = services.spool_directory
        if self._file is None:
            self._file = SpoolFile(directory)
        spool = Spool(directory=directory, faults=services.faults, memory=memory, shared=self._file)
        self._spools.append(spool)
        self._size, self._held = size, held
        self._start = start
        return spool

    def request(self, command: RawCommand) -> Append | None:
        """The request of *command* if it was parsed as its only message was admitted and nothing follows, or None."""
        start = self._start
        if start is None or len(command.literals) != 1 or command.fragments[-1]:
            return None
        message = AppendMessage(start.flags, start.internaldate, self._spools[0])
        return Append(start.tag, start.mailbox, (message,), start.old_name)

    def close(self) -> None:
        """Frees what the spools hold; may be called at any time."""
        for spool in self._spools:
            spool.close()
        self._spools.clear()
        self._size = self._held = 0
        if self._file is not None:
            self._file.close()
            self._file = None
        self._start = None
