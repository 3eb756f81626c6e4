"""A server inside a program: for tests of mail clients, for tools, for whoever needs a mailbox at hand.

    async with Server(users={"linda": "Pa$$123"}) as server:
        await server.deliver("linda", b"Subject: hello\\r\\n\\r\\nWorld\\r\\n")
        host, port = server.address("imap")

With no data directory everything is in memory and leaves nothing. Where the client under test is not
asynchronous, ``in_thread`` runs the server beside it:

    with Server(users={"linda": "Pa$$123"}).in_thread() as server:
        client = imaplib.IMAP4(*server.address("imap"))
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import uvloop

from mektup.auth.authenticator import Plaintext
from mektup.server import accounts, logs
from mektup.server.accounts import Message
from mektup.server.addresses import Endpoint, Service, endpoint
from mektup.server.config import Config, ConfigError
from mektup.server.single import Single, open_single
from mektup.store.interface import Store
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.names import INBOX
from mektup.terms.numbers import Uid

T = TypeVar("T")

ANY_PORT = "127.0.0.1:0"
EMBEDDED_LISTEN: Mapping[str, Sequence[str]] = {
    "imap": (ANY_PORT,),
    "imaps": (ANY_PORT,),
    "pop3": (ANY_PORT,),
    "pop3s": (ANY_PORT,),
    "lmtp": (ANY_PORT,),
}
"""Every service, on this machine only, on ports that are free."""


class Server:
    """A mail server in this process, from ``async with`` to its end.

    It runs in the event loop of whoever enters it, and writes its log to the standard library's logger ``mektup``.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        users: Mapping[str, str] | None = None,
        listen: Mapping[str, Sequence[str]] = EMBEDDED_LISTEN,
        limits: Limits = DEFAULT_LIMITS,
        plaintext: str = "loopback",
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        hostname: str = "mektup",
        delivery: DeliveryRules = DEFAULT_DELIVERY_RULES,
    ) -> None:
        """Serves from the data directory *data*, or from memory for None, once it is entered.

        *users* are names and passwords of accounts that shall be there; *listen* maps ``imap``, ``imaps``, ``pop3``,
        ``pop3s``, ``lmtp`` and ``metrics`` to addresses as in the configuration file (port 0: any that is free);
        *plaintext* says where a password may cross an unencrypted connection: ``loopback``, ``always`` or ``never``;
        *cert* and *key* are PEM files, in place of a certificate of the server's own making; *delivery* says what LMTP
        does with mail that comes in, as the table ``[lmtp]`` of the configuration file.
        Raises ConfigError where these cannot be.
        """
        self._config = Config(
            data=None if data is None else Path(data).absolute(),
            listen=_endpoints(listen),
            limits=limits,
            plaintext=_plaintext(plaintext),
            cert=None if cert is None else Path(cert).absolute(),
            key=None if key is None else Path(key).absolute(),
            hostname=hostname,
            delivery=delivery,
        )
        self._users = dict(users or {})
        self._single: Single | None = None

    async def __aenter__(self) -> Server:
        """Listens, when it returns. Raises ConfigError, Refused(CANNOT) for a user that cannot be."""
        single = await open_single(self._config, logs.library_logger())
        self._single = single
        try:
            for name, password in self._users.items():
                await self.add_user(name, password)
        except Refused:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Lets sessions say goodbye, and closes everything; may be called twice."""
        single, self._single = self._single, None
        if single is not None:
            await single.stop()

    def in_thread(self) -> ThreadedServer:
        """The same server, as a plain ``with``: it runs in a thread of its own."""
        return ThreadedServer(self)

    @property
    def store(self) -> Store:
        """The mail itself."""
        return self._running.node.store

    def address(self, service: str) -> tuple[str, int]:
        """Host and port of ``imap``, ``imaps``, ``pop3``, ``pop3s``, ``lmtp`` or ``metrics``. Raises KeyError."""
        for found in self._running.endpoints[_service(service)]:
            if found.path is None:
                return found.host, found.port
        raise KeyError(service)

    def port(self, service: str) -> int:
        """The port of *service*. Raises KeyError where it is off."""
        return self.address(service)[1]

    def ssl_context(self) -> ssl.SSLContext:
        """For a client: trusts this server's certificate and no other, for ``localhost`` and 127.0.0.1."""
        context = ssl.create_default_context(cadata=self._running.node.certificates.pem.decode("ascii"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    async def add_user(self, name: str, password: str) -> None:
        """Adds an account, or gives it a new password. Raises Refused(CANNOT)."""
        await accounts.set_password(self.store, name, password, passing=self._config.data is None)

    async def deliver(
        self,
        user: str,
        message: Message,
        mailbox: str = INBOX,
        flags: Iterable[str] = (),
        internaldate: datetime | None = None,
    ) -> Uid:
        """Puts *message* (octets, an EmailMessage, or a file's path) into a mailbox, and returns its UID.

        Raises Refused(NONEXISTENT for a user or mailbox that is not there, TOOBIG).
        """
        return await accounts.deliver(
            self.store, self._config.limits, user, message, mailbox=mailbox, flags=flags, internaldate=internaldate
        )

    @property
    def _running(self) -> Single:
        if self._single is None:
            raise RuntimeError("the server is not running: use it inside of its `async with`")
        return self._single


class ThreadedServer:
    """A server in a thread of its own, for programs and tests that are not asynchronous."""

    def __init__(self, server: Server) -> None:
        """To be made by ``Server.in_thread``."""
        self._server = server
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ThreadedServer:
        """Listens, when it returns. Raises as Server does."""
        loop = self._runner.get_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="mektup", daemon=True)
        self._thread.start()
        try:
            self._run(self._server.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._run(self._server.stop())
        finally:
            self._end()

    def address(self, service: str) -> tuple[str, int]:
        """As Server.address."""
        return self._server.address(service)

    def port(self, service: str) -> int:
        """As Server.port."""
        return self._server.port(service)

    def ssl_context(self) -> ssl.SSLContext:
        """As Server.ssl_context."""
        return self._server.ssl_context()

    def add_user(self, name: str, password: str) -> None:
        """As Server.add_user."""
        self._run(self._server.add_user(name, password))

    def deliver(
        self,
        user: str,
        message: Message,
        mailbox: str = INBOX,
        flags: Iterable[str] = (),
        internaldate: datetime | None = None,
    ) -> Uid:
        """As Server.deliver."""
        return self._run(self._server.deliver(user, message, mailbox, flags, internaldate))

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._runner.get_loop()).result()

    def _end(self) -> None:
        loop = self._runner.get_loop()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()
        self._runner.close()


def _service(name: str) -> Service:
    try:
        return Service(name)
    except ValueError:
        raise KeyError(f"{name}: expected one of {', '.join(each.value for each in Service)}") from None


def _endpoints(listen: Mapping[str, Sequence[str]]) -> dict[Service, tuple[Endpoint, ...]]:
    endpoints = {}
    for name, texts in listen.items():
        try:
            endpoints[_service(name)] = tuple(endpoint(text, Path.cwd()) for text in texts)
        except KeyError as error:
            raise ConfigError(f"listen: {error.args[0]}") from error
        except ValueError as error:
            raise ConfigError(f"listen: {name}: {error}") from error
    return endpoints


def _plaintext(word: str) -> Plaintext:
    try:
        return Plaintext(word)
    except ValueError:
        allowed = ", ".join(repr(each.value) for each in Plaintext)
        raise ConfigError(f"plaintext: expected one of {allowed}, got {word!r}") from None
