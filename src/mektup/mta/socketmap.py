"""A session with Postfix, which looks up addresses and domains: its socketmap protocol (socketmap_table(5)).

A request is a netstring ``name key``, and the reply a netstring ``OK value``, ``NOTFOUND ``, ``TEMP reason`` or
``PERM reason``. The maps are these:

| map | key | found, with the value |
|---|---|---|
| ``domains`` | a domain | it was added to this server |
| ``recipients`` | an address | the accounts that get its mail |
| ``senders`` | an address | the accounts that may send with it: the same |

So Postfix refuses an unknown recipient at RCPT, by the same rule as LMTP (``delivery/recipients.py``), and knows of a
change at once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from mektup.delivery.address import Address
from mektup.delivery.recipients import resolve
from mektup.mta import texts
from mektup.mta.netstrings import NetstringBuffer, netstring
from mektup.session.life import Ending, Life
from mektup.session.services import Services
from mektup.store.interface import Store
from mektup.terms.domains import domain_key
from mektup.terms.errors import ClientError, Code, Disconnected, Refused, TimedOut
from mektup.terms.names import split_address
from mektup.terms.peer import Peer
from mektup.terms.texts import Text

NOT_FOUND = "NOTFOUND "


async def _domains(key: str, store: Store) -> str | None:
    domain = domain_key(key)
    return domain if domain in await store.addresses.domains() else None


async def _recipients(key: str, store: Store) -> str | None:
    return " ".join(await _accounts(key, store)) or None


async def _senders(key: str, store: Store) -> str | None:
    # Postfix splits the value at commas and spaces
    names = [name for name in await _accounts(key, store) if not any(each.isspace() or each == "," for each in name)]
    return ",".join(names) or None


async def _accounts(key: str, store: Store) -> list[str]:
    local, domain = split_address(key)
    try:
        recipients = await resolve(Address(local, domain), store)
    except Refused as refusal:
        if refusal.code is not Code.NONEXISTENT:
            raise
        return []
    return [recipient.entry.name for recipient in recipients]


MAPS: Mapping[str, Callable[[str, Store], Awaitable[str | None]]] = {
    "domains": _domains,
    "recipients": _recipients,
    "senders": _senders,
}
"""Each map by its name: the value for a key, None where it has none. Raises Refused where it cannot be read."""


class SocketmapSession(Life):
    """One connection of Postfix, with one request after the other."""

    __slots__ = ("_buffer",)

    protocol = "socketmap"
    logs_in = False

    def __init__(self, peer: Peer, services: Services) -> None:
        super().__init__(peer, services)
        self._buffer = NetstringBuffer(services.limits.login_line_bytes)

    def throw_out(self, text: Text) -> None:
        """See ``Life``. The protocol has no words for it."""
        self.ending = Ending.THROWN_OUT

    def take_leave(self, silence: TimedOut) -> None:
        """See ``Life``."""

    async def run(self) -> None:
        """Serves the peer until either side ends the session; raises only at a bug."""
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
            request = self._buffer.next()
        except ClientError:
            # where the next request would begin is not known any more
            self.services.tally.mistakes += 1
            self.ending = Ending.THROWN_OUT
            return
        if request is None:
            self._buffer.feed(await self.peer.read(self.patience()))
            return
        await self._answer(request)
        if self.peer.is_due:
            await self.peer.drain()
            self.peer.waited = 0.0

    async def _answer(self, request: bytes) -> None:
        self.commands += 1
        if self.tap is not None:
            self.tap.command(request)
        began = self._clock = time.monotonic()
        name, _, key = request.partition(b" ")
        word = name.decode("ascii", "replace")
        if word not in MAPS:
            self._write("PERM " + self.in_words(texts.NO_SUCH_MAP.of(name=repr(word[:40]), names=", ".join(MAPS))))
            self.count_bad_command()
            return
        self.last_command = word.upper()
        try:
            value = await MAPS[word](key.decode(), self.services.store)
            self._write(NOT_FOUND if value is None else f"OK {value}")
        except UnicodeDecodeError:
            # no name here has such octets
            self._write(NOT_FOUND)
        except Refused as refusal:
            self.note_refusal(refusal)
            self._write("TEMP " + self.in_words(refusal.text))
        self._clock = time.monotonic()
        self.count_duration(self.last_command, self._clock - began, request)

    def _write(self, answer: str) -> None:
        self.peer.write(netstring(answer.encode("utf-8", "replace")))
