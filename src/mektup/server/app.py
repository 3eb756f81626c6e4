"""A server inside a program: for tests of mail clients, for tools, for any program that needs a mailbox.

    async with Server(users={"linda": "Pa$$123"}) as server:
        await server.deliver("linda", "Subject: hello\\n\\nWorld\\n")
        host, port = server.address("imap")

Without a data directory everything is in memory, and nothing remains. If the client under test is not asynchronous,
``in_thread`` runs the server in a thread:

    with Server(users={"linda": "Pa$$123"}).in_thread() as server:
        client = imaplib.IMAP4(*server.address("imap"))

As a pytest fixture:

    @pytest.fixture
    def mail():
        with Server(users={"linda": "Pa$$123"}).in_thread() as server:
            yield server
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
from typing import Any, NoReturn, TypeVar

from mektup.auth.login_rules import LoginRules
from mektup.auth.oauth.rules import OAuthRules
from mektup.auth.plaintext import Plaintext
from mektup.server import accounts, logs, texts
from mektup.server.addresses import AddressError, Endpoint, Service, endpoint
from mektup.server.config import HIDING, ClientCertificates, Config, ConfigError, store_settings, unexpected
from mektup.server.embedded import Message
from mektup.server.layers.client_names import ClientName
from mektup.server.single import Single, open_single
from mektup.server.store_config import ON_FILES
from mektup.store import system
from mektup.store.interface import Store
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES, DeliveryRules
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.names import INBOX, account_key
from mektup.terms.numbers import Uid
from mektup.terms.quota import NO_QUOTA, QuotaLimits
from mektup.terms.texts import ABOUT

T = TypeVar("T")

ANY_PORT = "127.0.0.1:0"
EMBEDDED_LISTEN: Mapping[str, str | Sequence[str]] = {
    "imap": (ANY_PORT,),
    "imaps": (ANY_PORT,),
    "pop3": (ANY_PORT,),
    "pop3s": (ANY_PORT,),
    "lmtp": (ANY_PORT,),
}
"""Every service, on 127.0.0.1 only, on free ports."""


NOT_RUNNING = "the server is not running: use it inside of its `async with`, or of the `with` of in_thread()"


class Server:
    """A mail server in this process, running inside its ``async with``.

    It runs in the event loop that enters it, and logs to the standard library's logger ``mektup``. It may be entered
    again after it has ended; without a data directory it is then empty.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        users: Mapping[str, str] | None = None,
        listen: Mapping[str, str | Sequence[str]] = EMBEDDED_LISTEN,
        limits: Limits = DEFAULT_LIMITS,
        plaintext: str = "loopback",
        cert: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        client_ca: str | os.PathLike[str] | None = None,
        client_name: str = "cn",
        hostname: str = "mektup",
        hide: Sequence[str] = (),
        scram_sha_1: bool = False,
        oauth: OAuthRules | None = None,
        delivery: DeliveryRules = DEFAULT_DELIVERY_RULES,
        quota: QuotaLimits = NO_QUOTA,
        administrators: Iterable[str] = (),
        contact: str = "",
        store: Mapping[str, object] | None = None,
    ) -> None:
        """Serves from the data directory *data*, or from memory for None, once it is entered.

        *users* maps names to passwords of accounts to add; *listen* maps ``imap``, ``imaps``, ``pop3``, ``pop3s``,
        ``lmtp``, ``sasl``, ``socketmap`` and ``metrics`` to an address as in the configuration file, or to a list of
        addresses; port 0 is any free port. *plaintext* says where a password may cross an unencrypted connection:
        ``loopback``, ``always`` or ``never``. *cert* and *key* are PEM files; without them the server makes its own
        certificate. *client_ca* is a PEM file of certificates: a client may log in by one that these have signed, to
        the account in its common name, or for the *client_name* ``email`` in its address. *hide* names capabilities
        that the server hides, as one that does not have them. *scram_sha_1* offers SCRAM-SHA-1, too. *oauth* says whose
        tokens are accepted, as ``[oauth]`` does, and *delivery* how LMTP delivers mail, as ``[lmtp]`` does. *quota* has
        the limits of each account, STORAGE in octets; *administrators* are accounts that may change them. *contact* is
        a URI by which users reach the operator. *store* says where mail is kept, as ``[store]`` does; the mail of
        several programs may then be in one PostgreSQL, and each still has a data directory for its sockets.
        Raises ConfigError for arguments that cannot be used.
        """
        self._config = Config(
            data=None if data is None else Path(data).absolute(),
            listen=_endpoints(listen),
            limits=limits,
            plaintext=_plaintext(plaintext),
            cert=None if cert is None else Path(cert).absolute(),
            key=None if key is None else Path(key).absolute(),
            hide=_hidden(hide),
            clients=_clients(client_ca, client_name),
            hostname=hostname,
            login=LoginRules(scram_sha_1=scram_sha_1, oauth=oauth),
            delivery=delivery,
            quota=dict(quota),
            administrators=frozenset(map(account_key, administrators)),
            contact=contact,
            store=ON_FILES if store is None else store_settings(store),
        )
        self._users = _checked_users(users or {})
        self._single: Single | None = None

    async def __aenter__(self) -> Server:
        """The server listens when this returns.

        Raises ConfigError, Refused(CANNOT) for a name or password that is not allowed, RuntimeError if it runs already.
        """
        if self._single is not None:
            raise RuntimeError("the server is running already: it can be entered again when it has ended")
        single = await open_single(self._config, logs.library_logger())
        self._single = single
        try:
            for name, password in self._users.items():
                await self.add_user(name, password)
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> NoReturn:
        """Raises TypeError that says how to run the server without an event loop."""
        raise TypeError("use `with Server(...).in_thread() as server:`, or in a coroutine `async with Server(...)`")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Is never called, because ``__enter__`` raises; but ``with`` requires it."""

    async def stop(self) -> None:
        """Lets sessions end, and closes everything; may be called twice."""
        single, self._single = self._single, None
        if single is not None:
            await single.stop()

    def in_thread(self) -> ThreadedServer:
        """The same server for a plain ``with``: it runs in its own thread."""
        return ThreadedServer(self)

    @property
    def store(self) -> Store:
        """The store of all accounts and their mail."""
        return self._running.node.store

    def address(self, service: str) -> tuple[str, int]:
        """Host and port of ``imap``, ``imaps``, ``pop3``, ``pop3s``, ``lmtp`` or ``metrics``. Raises KeyError."""
        for found in self._running.endpoints.get(_service(service), ()):
            if found.path is None:
                return found.host, found.port
        raise KeyError(f"{service} is off: name it in listen=")

    def port(self, service: str) -> int:
        """The port of *service*. Raises KeyError if the service is off."""
        return self.address(service)[1]

    def ssl_context(self) -> ssl.SSLContext:
        """For a client: a context that trusts only this server's certificate, for ``localhost`` and 127.0.0.1."""
        context = ssl.create_default_context(cadata=self._running.node.certificates.pem.decode("ascii"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    async def add_user(self, name: str, password: str) -> None:
        """Adds an account, or changes the password of an existing one. Raises Refused(CANNOT)."""
        in_memory = self._config.data is None
        await accounts.set_password(self.store, name, password, self._config.login, passing=in_memory)

    async def add_domain(self, domain: str) -> None:
        """Adds a domain. From then on LMTP takes mail only for the domains that were added. Raises Refused(CANNOT)."""
        await self.store.addresses.add_domain(domain)

    async def add_alias(self, address: str, *users: str) -> None:
        """Lets mail for *address* go to *users*, too: ``info@example.org``, ``postmaster``, or ``@example.org``.

        The last one is for all that no account and no other alias of the domain takes.
        Raises Refused (CANNOT for an address that cannot be, ALREADYEXISTS for that of an account, NONEXISTENT for an
        unknown user).
        """
        await self.store.addresses.add_alias(address, users)

    async def deliver(
        self,
        user: str,
        message: Message,
        mailbox: str = INBOX,
        flags: Iterable[str] = (),
        internaldate: datetime | None = None,
    ) -> Uid:
        """Puts *message* into a mailbox of *user*, and returns its UID. Open sessions see it at once.

        *message* is a str, which is encoded in UTF-8; bytes; an ``email.message.Message`` of any kind; or the
        ``pathlib.Path`` of a file. Its lines may end in LF. *flags* are as in IMAP: ``["\\\\Seen", "$Forwarded"]``.
        *internaldate* is local time if it has no zone; None means now.
        Raises Refused (NONEXISTENT for an unknown user or mailbox, CANNOT for a flag that is not allowed, TOOBIG),
        TypeError and ValueError for a wrong message, list of flags or date, OSError for a file that cannot be read.
        Nothing is stored then.
        """
        return await accounts.deliver(
            self.store,
            self._config.limits,
            user,
            message,
            mailbox=mailbox,
            flags=flags,
            internaldate=internaldate,
            tally=self._running.node.reporter.embedded,
            log=self._running.node.delivery_log,
        )

    @property
    def _running(self) -> Single:
        if self._single is None:
            raise RuntimeError(NOT_RUNNING)
        return self._single


class ThreadedServer:
    """A server in its own thread, for programs and tests that are not asynchronous.

    Like a Server, it may be entered again after it has ended.
    """

    def __init__(self, server: Server) -> None:
        """Use ``Server.in_thread``."""
        self._server = server
        self._runner: asyncio.Runner | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> ThreadedServer:
        """The server listens when this returns. Raises as Server does."""
        if self._runner is not None:
            raise RuntimeError("the server is running already: it can be entered again when it has ended")
        self._runner = asyncio.Runner(loop_factory=system.new_event_loop)
        self._runner.get_loop()  # made here, so that it exists when the thread starts
        self._thread = threading.Thread(target=_run_until_stopped, args=(self._runner,), name="mektup", daemon=True)
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

    async def __aenter__(self) -> NoReturn:
        """Raises TypeError that says how to run the server in an event loop."""
        raise TypeError(
            "use `with Server(...).in_thread()`, without async; or `async with Server(...)`, without in_thread"
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Is never called, because ``__aenter__`` raises; but ``async with`` requires it."""

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

    def add_domain(self, domain: str) -> None:
        """As Server.add_domain."""
        self._run(self._server.add_domain(domain))

    def add_alias(self, address: str, *users: str) -> None:
        """As Server.add_alias."""
        self._run(self._server.add_alias(address, *users))

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
        if self._runner is None:
            doing.close()
            raise RuntimeError(NOT_RUNNING)
        return asyncio.run_coroutine_threadsafe(doing, self._runner.get_loop()).result()

    def _end(self) -> None:
        runner, self._runner = self._runner, None
        if runner is None:
            return
        loop = runner.get_loop()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()


def _run_until_stopped(runner: asyncio.Runner) -> None:
    """Runs the loop of *runner*, and closes it in this thread, as the caller's thread may run a loop of its own."""
    with runner:
        runner.get_loop().run_forever()


_SERVICES = ", ".join(each.value for each in Service)


def _service(name: str) -> Service:
    service = _service_or_none(name)
    if service is None:
        raise KeyError(f"{name}: expected one of {_SERVICES}")
    return service


def _service_or_none(name: str) -> Service | None:
    return next((each for each in Service if each.value == name), None)


def _endpoints(listen: Mapping[str, str | Sequence[str]]) -> dict[Service, tuple[Endpoint, ...]]:
    if not isinstance(listen, Mapping):
        expected = texts.LISTEN_MAPPING.of(example=f'{{"imap": "{ANY_PORT}"}}')
        raise unexpected("listen", expected, repr(listen))
    endpoints = {}
    for name, given in listen.items():
        addresses = [given] if isinstance(given, str) else given
        if not isinstance(addresses, Sequence) or not all(isinstance(each, str) for each in addresses):
            raise unexpected(f"listen: {name}", texts.LISTEN_ADDRESS.of(example=ANY_PORT), repr(given))
        service = _service_or_none(name)
        if service is None:
            raise unexpected(f"listen: {name}", texts.ONE_OF.of(allowed=_SERVICES), repr(name))
        try:
            endpoints[service] = tuple(endpoint(text, Path.cwd()) for text in addresses)
        except AddressError as error:
            raise ConfigError(ABOUT.of(place=f"listen: {name}", problem=error.text)) from error
    return endpoints


def _checked_users(users: Mapping[str, str]) -> dict[str, str]:
    example = '{"linda": "Pa$$123"}'
    if not isinstance(users, Mapping):
        raise unexpected("users", texts.USERS.of(example=example), type(users).__name__)
    for name, password in users.items():
        if not isinstance(name, str) or not isinstance(password, str):
            got = texts.OTHERWISE.of(name=repr(name))
            raise unexpected("users", texts.USER_AND_PASSWORD.of(example=example), got)
    return dict(users)


def _hidden(names: Sequence[str]) -> dict[Service | Endpoint, tuple[str, ...]]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise unexpected("hide", texts.HIDE_LIST.of(example='["IDLE", "MOVE"]'), repr(names))
    mechanisms = tuple(name for name in names if name.upper().startswith("AUTH="))
    return {service: mechanisms if service.protocol == "pop3" else tuple(names) for service in HIDING if names}


def _clients(ca: str | os.PathLike[str] | None, name: str) -> ClientCertificates | None:
    try:
        where = ClientName(name)
    except ValueError:
        allowed = ", ".join(repr(each.value) for each in ClientName)
        raise unexpected("client_name", texts.ONE_OF.of(allowed=allowed), repr(name)) from None
    return None if ca is None else ClientCertificates(Path(ca).absolute(), where)


def _plaintext(word: str) -> Plaintext:
    try:
        return Plaintext(word)
    except ValueError:
        allowed = ", ".join(repr(each.value) for each in Plaintext)
        raise unexpected("plaintext", texts.ONE_OF.of(allowed=allowed), repr(word)) from None
