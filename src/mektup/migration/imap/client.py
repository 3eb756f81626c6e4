"""A client of IMAP for migration: it logs in, sends commands, and passes on what the server answers as it comes."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from mektup.migration.imap import texts
from mektup.migration.imap.errors import CommandRefused, LoginRefused, Lost, NotUnderstood, ServerProblem, Untrusted
from mektup.migration.imap.login import Credentials, Mechanism, SaslClient, steps, usable
from mektup.migration.imap.responses import (
    Continuation,
    Response,
    Status,
    Untagged,
    not_a_response,
    read_response,
)
from mektup.migration.imap.stream import Address, Security, Stream
from mektup.store.spool import Spool
from mektup.terms.limits import MIB
from mektup.wire import strings

PATIENCE: Final = 120.0
"""Seconds of silence after which a server counts as lost. Some open a large mailbox for a minute."""

LOGIN_RESPONSES: Final = 1000
"""The most responses to one command of the login, so that no server keeps us there."""


GATHERED_BYTES: Final = 64 * MIB
"""The most octets of an answer that is kept whole."""


class Client:
    """A session with a server; a context manager, which logs out.

    *new_spool* makes the spools for messages. All methods raise Lost, NotUnderstood, and CommandRefused for NO or BAD.
    """

    def __init__(self, address: Address, new_spool: Callable[[], Spool], *, patience: float = PATIENCE) -> None:
        self.address = address
        self._new_spool = new_spool
        self._spool: Callable[[], Spool] = _dropping
        self._patience = patience
        self._stream: Stream | None = None
        self._count = 0
        self._in_command = False
        self.capabilities: frozenset[str] = frozenset()
        """In upper case."""
        self.enabled: frozenset[str] = frozenset()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # Session

    async def connect(self, credentials: Credentials) -> None:
        """Connects and logs in. Raises Untrusted and LoginRefused, too."""
        self._stream = await Stream.open(self.address, self._patience)
        greeting = await self._read()
        if not isinstance(greeting, Status) or greeting.tag != b"*" or greeting.word not in ("OK", "PREAUTH", "BYE"):
            raise NotUnderstood(texts.NO_GREETING.of(server=self.address.shown, line=_shown(greeting)))
        if greeting.word == "BYE":
            raise Lost(texts.REFUSES_US.of(server=self.address.shown, reason=greeting.text))
        await self._ask_capabilities()
        if self.address.security is Security.STARTTLS and greeting.word != "PREAUTH":
            await self._start_tls()
        if greeting.word == "PREAUTH":
            if self.address.security is Security.STARTTLS:
                # RFC 9051 §11.1: such a greeting would keep us from encrypting
                raise Untrusted(texts.NO_STARTTLS.of(server=self.address.shown))
            return
        if not (self._stream.is_encrypted or self.address.insecure):
            raise Untrusted(texts.WOULD_BE_CLEAR.of(server=self.address.shown))
        await self._log_in(credentials)
        # RFC 9051 §6.1.1: they may differ after the login
        await self._ask_capabilities()

    async def enable(self, name: str) -> bool:
        """Whether the server has the extension *name* and has enabled it (RFC 5161)."""
        if name in self.capabilities and "ENABLE" in self.capabilities:
            for each in await self.gather(f"ENABLE {name}"):
                if each.kind == "ENABLED" and name in [str(value).upper() for value in each.values]:
                    self.enabled |= {name}
        return name in self.enabled

    async def close(self) -> None:
        """Logs out if that is possible, and closes the connection."""
        stream = self._stream
        if stream is None:
            return
        self._stream = None
        if not self._in_command:
            with suppress(ServerProblem):
                await stream.send(b"z LOGOUT\r\n")
        await stream.close()

    # Commands

    async def gather(self, *words: str | bytes) -> list[Untagged]:
        """Sends a command and returns its data."""
        gathered = []
        stream = self._connected()
        most = stream.received + GATHERED_BYTES
        async for each in self.run(*words):
            if isinstance(each, Untagged):
                gathered.append(each)
            if stream.received > most:
                raise NotUnderstood(texts.HUGE_RESPONSE.of(octets=GATHERED_BYTES))
        return gathered

    async def run(self, *words: str | bytes, messages: bool = False) -> AsyncGenerator[Untagged | Status, None]:
        """Sends a command, and gives its responses as they come, the tagged OK last.

        A word that is bytes is sent as a string. With *messages*, the caller closes the spools of messages; without,
        their octets are dropped. Who stops early must close the client. Raises CommandRefused.
        """
        self._spool = self._new_spool if messages else _dropping
        tag = self._next_tag()
        self._in_command = True
        await self._send(tag, words)
        name = " ".join(word for word in words if isinstance(word, str))
        while True:
            response = await self._read()
            if isinstance(response, Continuation):
                raise not_a_response(b"+ " + response.text)
            if isinstance(response, Status) and response.tag == tag:
                self._in_command = False
                if response.word != "OK":
                    reason = response.text or response.word
                    shown = texts.COMMAND_REFUSED.of(server=self.address.shown, command=name, reason=reason)
                    raise CommandRefused(shown, response.code_word)
                yield response
                return
            if isinstance(response, Status) and response.tag != b"*":
                raise NotUnderstood(texts.NO_RESPONSE.of(line=_shown(response)))
            yield response

    def _next_tag(self) -> bytes:
        self._count += 1
        return b"m%d" % self._count

    async def _send(self, tag: bytes, words: Sequence[str | bytes]) -> None:
        """Sends a command; a string that cannot be quoted is sent as a literal, after the server's ``+``."""
        stream = self._connected()
        text = tag
        for word in words:
            sent = word.encode("ascii") if isinstance(word, str) else strings.string(word)
            text += b" "
            if isinstance(word, bytes) and sent.startswith(b"{"):
                await stream.send(text + b"{%d}\r\n" % len(word))
                await self._continuation(tag)
                text = word
            else:
                text += sent
        await stream.send(text + b"\r\n")

    async def _continuation(self, tag: bytes) -> bytes:
        for _ in range(LOGIN_RESPONSES):
            response = await self._read()
            if isinstance(response, Continuation):
                return response.text
            if isinstance(response, Status) and response.tag == tag:
                self._in_command = False
                shown = texts.COMMAND_REFUSED.of(server=self.address.shown, command=tag.decode(), reason=response.text)
                raise CommandRefused(shown, response.code_word)
        raise NotUnderstood(texts.NO_RESPONSE.of(line="..."))

    async def _read(self) -> Response:
        response = await read_response(self._connected(), self._spool)
        if isinstance(response, Status) and response.tag == b"*" and response.word == "BYE" and self._count:
            raise Lost(texts.SAID_BYE.of(server=self.address.shown, reason=response.text))
        if isinstance(response, Status) and response.code_word == "CAPABILITY":
            self.capabilities = frozenset(response.code.upper().split()[1:])
        return response

    def _connected(self) -> Stream:
        if self._stream is None:
            raise Lost(texts.CLOSED.of(server=self.address.shown))
        return self._stream

    async def _ask_capabilities(self) -> None:
        for each in await self.gather("CAPABILITY"):
            if each.kind == "CAPABILITY":
                self.capabilities = frozenset(str(value).upper() for value in each.values)

    async def _start_tls(self) -> None:
        if "STARTTLS" not in self.capabilities:
            if self.address.insecure:
                return
            raise Untrusted(texts.NO_STARTTLS.of(server=self.address.shown))
        await self.gather("STARTTLS")
        await self._connected().start_tls()
        # RFC 9051 §6.2.1: what was said in the clear is forgotten
        self.capabilities = frozenset()
        await self._ask_capabilities()

    # Login

    async def _log_in(self, credentials: Credentials) -> None:
        mechanisms = usable(credentials, sorted(self.capabilities), self.address.shown)
        for mechanism in mechanisms:
            try:
                await self._log_in_by(mechanism, credentials)
            except CommandRefused as error:
                if mechanism is mechanisms[-1]:
                    reason = error.text.fields.get("reason", "")
                    shown = texts.LOGIN_REFUSED.of(server=self.address.shown, name=credentials.name, reason=reason)
                    raise LoginRefused(shown) from error
            else:
                return

    async def _log_in_by(self, mechanism: Mechanism, credentials: Credentials) -> None:
        if mechanism is Mechanism.LOGIN:
            await self.gather("LOGIN", credentials.user.encode(), (credentials.password or "").encode())
            return
        client = await asyncio.to_thread(steps, mechanism, credentials, self.address.host, self.address.port)
        await self._authenticate(mechanism.value, client)

    async def _authenticate(self, mechanism: str, client: SaslClient) -> None:
        """RFC 9051 §6.2.2."""
        tag = self._next_tag()
        stream = self._connected()
        first = b64encode(client.first()) or b"="
        self._in_command = True
        if "SASL-IR" in self.capabilities:
            await stream.send(b"%b AUTHENTICATE %b %b\r\n" % (tag, mechanism.encode(), first))
        else:
            await stream.send(b"%b AUTHENTICATE %b\r\n" % (tag, mechanism.encode()))
            await self._continuation(tag)
            await stream.send(first + b"\r\n")
        for _ in range(LOGIN_RESPONSES):
            response = await self._read()
            if isinstance(response, Continuation):
                challenge = _decoded(response.text)
                # a hash of a password takes a tenth of a second
                answer = await asyncio.to_thread(client.answer, challenge)
                await stream.send(b64encode(answer) + b"\r\n")
            elif isinstance(response, Status) and response.tag == tag:
                self._in_command = False
                if response.word != "OK":
                    raise CommandRefused(
                        texts.COMMAND_REFUSED.of(
                            server=self.address.shown, command="AUTHENTICATE", reason=response.text
                        ),
                        response.code_word,
                    )
                client.finish()
                return
        raise NotUnderstood(texts.NO_RESPONSE.of(line="..."))


def _dropping() -> Spool:
    return Spool(limit=0)


def _decoded(challenge: bytes) -> bytes:
    try:
        return b64decode(challenge, validate=True)
    except Base64Error:
        raise not_a_response(b"+ " + challenge) from None


def _shown(response: Response) -> str:
    if isinstance(response, Status):
        return f"{response.tag.decode('ascii', 'replace')} {response.word} {response.text}"
    return response.kind if isinstance(response, Untagged) else "+"
