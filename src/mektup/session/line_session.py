"""A session of a protocol in which a command is one line: POP3 and LMTP."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from mektup.session import texts
from mektup.session.life import Life
from mektup.session.services import Services
from mektup.session.tap import Tap
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.lines import LineBuffer
from mektup.terms.peer import Peer


class LineSession(Life):
    """Obeys one line after the other, in the order received, so that a client may pipeline."""

    __slots__ = ("lines",)

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self.lines = LineBuffer(services.limits.login_line_bytes)

    # What a protocol defines

    def greet(self) -> None:
        """Queues the greeting."""
        raise NotImplementedError

    def command(self, line: bytes) -> tuple[str, Awaitable[None]]:
        """The name of the command in *line*, for the metrics, and its run. Raises ClientError."""
        raise NotImplementedError

    def tell(self, tap: Tap, line: bytes) -> None:
        """Tells *tap* of the command in *line*, without secrets."""
        raise NotImplementedError

    def complain(self, mistake: ClientError) -> None:
        """Queues the answer to a line that is no command, or to a command in the wrong place."""
        raise NotImplementedError

    def refuse(self, refusal: Refused) -> None:
        """Queues the answer to a command that is not carried out; for an error of ours, its code is SERVERBUG."""
        raise NotImplementedError

    # The life of the session

    async def run(self) -> None:
        """Serves the peer until either side ends the session; raises only at a bug outside of any command."""
        self.greet()
        try:
            while self.ending is None:
                await self._serve()
            await self.peer.drain()
        except (Disconnected, TimedOut) as cause:
            await self.part(cause)
        finally:
            self.release()

    async def _serve(self) -> None:
        if self.peer.dismissal is not None:
            raise TimedOut(self.peer.dismissal)
        try:
            line = self.lines.next_line()
        except ClientError as mistake:
            if self.tap is not None:
                self.tap.hidden(None)
            self._answer_mistake(mistake, b"")
            return
        if line is None:
            self.lines.feed(await self.peer.read(self.patience()))
            return
        await self._obey(line)
        # the client may pipeline many commands, and read no answers
        if self.peer.is_due_at(self._clock):
            await self.peer.drain()
            self.peer.waited = 0.0

    async def _obey(self, line: bytes) -> None:
        self.commands += 1
        if self.tap is not None:
            self.tell(self.tap, line)
        began = self._clock = time.monotonic()
        name = ""
        try:
            name, run = self.command(line)
            self.last_command = name
            await run
        except ClientError as mistake:
            self._answer_mistake(mistake, line)
        except Refused as refusal:
            self.note_refusal(refusal)
            self.refuse(refusal)
        except (Disconnected, TimedOut):
            raise
        except Exception as failure:
            # the boundary: a bug is answered, and the session goes on
            # without the line, which may hold a password
            self.note_bug(failure, verb=name)
            self.refuse(Refused(Code.SERVERBUG, texts.INTERNAL_ERROR.of(session=self.services.session_id)))
        finally:
            self._clock = time.monotonic()
            if name:
                self.count_duration(name, self._clock - began, line)

    def _answer_mistake(self, mistake: ClientError, line: bytes) -> None:
        self.complain(mistake)
        self.count_bad_command(line)
