"""Opens listening sockets and accepts connections from them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from mektup.server import texts
from mektup.server.addresses import Endpoint
from mektup.server.config import ConfigError
from mektup.server.socket_access import USUAL_ACCESS, SocketAccess
from mektup.store import files, system
from mektup.terms.texts import AND_SO, Text

BACKLOG = 4096
ACCEPTS_PER_TURN = 16
PAUSE_SECONDS = 0.5
"""The pause in accepting after the system had no free descriptor for a connection."""

FIRST_FREE_PORT = 1024
"""Ports below need a privilege."""

RUN = Path("/run")
"""systemd makes the directories of services here; a service itself may not."""

SHARES_PORTS = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")
"""Whether several sockets may listen at one port while the kernel spreads connections over them."""

KEEPALIVE_SECONDS = 300
"""After so long a silence the system probes whether the client still exists. A client that changes its network never
closes the connection."""


def open_sockets(
    endpoint: Endpoint, *, shared: bool, ours: frozenset[int] = frozenset(), access: SocketAccess = USUAL_ACCESS
) -> list[socket.socket]:
    """Sockets bound to *endpoint*, not listening yet: several if a name has several addresses.

    With *shared*, :func:`bind_again` can bind more TCP sockets to the same port. *ours* are the ports that this server
    already listens at, for another address or service; they may be bound, too. *access* is for Unix sockets.
    Raises ConfigError.
    """
    try:
        if endpoint.path is not None:
            return [_bound_path(endpoint.path, access)]
        return _bound_host(endpoint, shared=shared, ours=ours)
    except OSError as error:
        problem, advice = (
            texts.CANNOT_LISTEN.of(address=endpoint, reason=_reason(endpoint, error)),
            _advice(endpoint, error),
        )
        raise ConfigError(problem if advice is None else AND_SO.of(first=problem, then=advice)) from error


def _reason(endpoint: Endpoint, error: OSError) -> Text | str:
    """Names the directory above a Unix socket if that directory is the cause."""
    if endpoint.path is not None and (error.filename or error.errno in (errno.EACCES, errno.EPERM)):
        return files.reason(error, endpoint.path)
    return error.strerror or str(error)


def _advice(endpoint: Endpoint, error: OSError) -> Text | None:
    if endpoint.path is not None and endpoint.path.parent.parent == RUN and not endpoint.path.parent.exists():
        return texts.RUNTIME_DIRECTORY.of(name=endpoint.path.parent.name)
    if endpoint.path is None and error.errno in (errno.EACCES, errno.EPERM) and endpoint.port < FIRST_FREE_PORT:
        return texts.LOW_PORT.of(port=FIRST_FREE_PORT)
    return None


def bind_again(bound: socket.socket) -> socket.socket:
    """Another socket at the address of *bound*, which was opened as shared; the kernel spreads connections."""
    return _bound(bound.family, bound.getsockname()[:2], shared=True)


def endpoint_of(bound: socket.socket) -> Endpoint:
    """The address of *bound*, with its actual port."""
    name = bound.getsockname()
    if bound.family == system.UNIX_SOCKETS:
        return Endpoint(path=Path(name))
    return Endpoint(host=name[0], port=name[1])


def _bound_host(endpoint: Endpoint, *, shared: bool, ours: frozenset[int]) -> list[socket.socket]:
    found = socket.getaddrinfo(endpoint.host or None, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    port = endpoint.port
    for family, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        try:
            if shared and port not in ours:
                # a shared port could be shared with another server, too; a test bind without sharing finds that server
                _bound(family, (address[0], port), shared=False).close()
            sockets.append(_bound(family, (address[0], port), shared=shared))
        except OSError as error:
            failure = error
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                break
        else:
            # with port 0, all addresses of the name get the same port
            port = sockets[0].getsockname()[1]
            failure = None
    if failure is not None and (not sockets or failure.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        for opened in sockets:
            opened.close()
        raise failure
    return sockets


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    # IPPROTO_TCP is named because asyncio sets TCP_NODELAY only then; without it an answer in two parts takes 40 ms
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared and SHARES_PORTS:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # on Linux, accepted sockets inherit these
        system.keep_alive(made, KEEPALIVE_SECONDS)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _bound_path(path: Path, access: SocketAccess) -> socket.socket:
    if not _clear_way(path):
        raise ConfigError(texts.CANNOT_LISTEN.of(address=Endpoint(path=path), reason=texts.NO_SOCKET))
    _make_socket_directory(path.parent)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        # nobody else may connect before the file has its group
        mask = os.umask(0o177)
        try:
            made.bind(str(path))
        finally:
            os.umask(mask)
        try:
            access.give(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except OSError:
        made.close()
        raise
    return made


def _make_socket_directory(path: Path) -> None:
    """Makes *path* where it is missing. The group of its owner may enter it, whatever the umask is."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o750, exist_ok=True)
        each.chmod(0o750)


def _clear_way(path: Path) -> bool:
    """Removes a socket file that nobody listens at. False if the path is something else, which stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
    except FileNotFoundError:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
    return True


class Listener:
    """Accepts connections at one socket."""

    def __init__(
        self,
        bound: socket.socket,
        accepted: Callable[[socket.socket, object], None],
        failed: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        """Listens at *bound* from now on; *accepted* gets each new socket, non-blocking, and the name of its peer.

        *failed* gets the error where the system cannot make a socket; clients then wait.
        """
        self._socket = bound
        self._accepted = accepted
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        bound.listen(BACKLOG)
        self._loop.add_reader(bound.fileno(), self._accept)

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return endpoint_of(self._socket)

    def close(self) -> None:
        """Stops listening; may be called twice. The file of a Unix socket stays; see ``remove_path``.

        Clients that have connected by now are still accepted. Otherwise the system would reset their connections, and
        they would get no farewell.
        """
        if self._socket.fileno() >= 0:
            if self._pause is not None:
                self._pause.cancel()
            self._loop.remove_reader(self._socket.fileno())
            with contextlib.suppress(OSError):  # no descriptors or no memory: they cannot be accepted
                self._accept_waiting(BACKLOG)
            self._socket.close()

    def _accept(self) -> None:
        try:
            self._accept_waiting(ACCEPTS_PER_TURN)
        except OSError as error:
            # no descriptors or no memory: trying again at once would only waste processor time
            self._failed(error)
            self._loop.remove_reader(self._socket.fileno())
            self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _accept_waiting(self, most: int) -> None:
        """Accepts at most *most* waiting connections. Raises OSError if the system cannot make a socket for one."""
        for _ in range(most):
            try:
                accepted, peer_name = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # the client has gone already
            accepted.setblocking(False)
            self._accepted(accepted, peer_name)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket.fileno(), self._accept)


def remove_path(endpoint: Endpoint) -> None:
    """Removes the file of a closed Unix socket; does nothing for any other address."""
    if endpoint.path is not None:
        with contextlib.suppress(OSError):
            endpoint.path.unlink()
