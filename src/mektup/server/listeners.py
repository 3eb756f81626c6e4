"""Listening sockets, and the accepting of connections from them."""

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

from mektup.server.addresses import Endpoint
from mektup.server.config import ConfigError
from mektup.store import files, system

BACKLOG = 4096
ACCEPTS_PER_TURN = 16
PAUSE_SECONDS = 0.5
"""How long no connection is accepted after the system had no descriptor left for one."""

FIRST_FREE_PORT = 1024
"""Ports below are for those who may have them."""

RUN = Path("/run")
"""Where systemd makes the directories of services, before it takes their rights to make any there."""

SHARES_PORTS = sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")
"""Whether several sockets may listen at one port, and the system spreads connections over them."""

KEEPALIVE_SECONDS = 300
"""After so long a silence the system asks whether a client is still there; those that moved away never say so."""


def open_sockets(endpoint: Endpoint, *, shared: bool, ours: frozenset[int] = frozenset()) -> list[socket.socket]:
    """Sockets bound to *endpoint*, not listening yet: more than one where a name has several addresses.

    With *shared*, TCP sockets may be bound to the same port again, by :func:`bind_again`, and to a port of *ours*, at
    which this server listens already at another address or for another service. Raises ConfigError.
    """
    try:
        if endpoint.path is not None:
            return [_bound_path(endpoint.path)]
        return _bound_host(endpoint, shared=shared, ours=ours)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {endpoint}: {_reason(endpoint, error)}{_advice(endpoint, error)}"
        ) from error


def _reason(endpoint: Endpoint, error: OSError) -> str:
    """Of a Unix socket it may be a directory above it that is at fault, and then that one is named."""
    if endpoint.path is not None and (error.filename or error.errno in (errno.EACCES, errno.EPERM)):
        return files.reason(error, endpoint.path)
    return error.strerror or str(error)


def _advice(endpoint: Endpoint, error: OSError) -> str:
    if endpoint.path is not None and endpoint.path.parent.parent == RUN and not endpoint.path.parent.exists():
        return f"; RuntimeDirectory={endpoint.path.parent.name} in a unit of systemd makes it"
    if endpoint.path is None and error.errno in (errno.EACCES, errno.EPERM) and endpoint.port < FIRST_FREE_PORT:
        return (
            f"; a port below {FIRST_FREE_PORT} takes root, or the capability CAP_NET_BIND_SERVICE "
            "(AmbientCapabilities=CAP_NET_BIND_SERVICE in a unit of systemd)"
        )
    return ""


def bind_again(bound: socket.socket) -> socket.socket:
    """Another socket at the same address as *bound*, which was opened as shared; the kernel spreads what comes."""
    return _bound(bound.family, bound.getsockname()[:2], shared=True)


def endpoint_of(bound: socket.socket) -> Endpoint:
    """Where *bound* is bound, its port known."""
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
                # a socket that shares its port would share it with another server, too, were there one already
                _bound(family, (address[0], port), shared=False).close()
            sockets.append(_bound(family, (address[0], port), shared=shared))
        except OSError as error:
            failure = error
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                break
        else:
            # where any port would do, all addresses of the name get the same
            port = sockets[0].getsockname()[1]
            failure = None
    if failure is not None and (not sockets or failure.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
        for opened in sockets:
            opened.close()
        raise failure
    return sockets


def _bound(family: int, address: tuple[object, ...], *, shared: bool) -> socket.socket:
    # named TCP, for asyncio sets TCP_NODELAY only on what says so; without it an answer in two parts takes 40 ms
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


def _bound_path(path: Path) -> socket.socket:
    if not _clear_way(path):
        raise FileExistsError(errno.EEXIST, "there is a file, and it is no socket")
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        # who else may connect is a matter of the file's group: an MTA's, for LMTP
        mask = os.umask(0o117)
        try:
            made.bind(str(path))
        finally:
            os.umask(mask)
    except OSError:
        made.close()
        raise
    return made


def _clear_way(path: Path) -> bool:
    """Removes a socket that nobody listens at any more; whether nothing else is there, which stays."""
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
    """Accepts connections at one socket, and hands each on."""

    def __init__(self, bound: socket.socket, accepted: Callable[[socket.socket, object], None]) -> None:
        """Listens at *bound* from now on; *accepted* takes each new socket, non-blocking, with its peer's name."""
        self._socket = bound
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        bound.listen(BACKLOG)
        self._loop.add_reader(bound.fileno(), self._accept)

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return endpoint_of(self._socket)

    def close(self) -> None:
        """Listens no more; may be called twice. The file of a Unix socket is its maker's to remove.

        Who has connected by now is handed on: the system would reset them, and they would hear no farewell.
        """
        if self._socket.fileno() >= 0:
            if self._pause is not None:
                self._pause.cancel()
            self._loop.remove_reader(self._socket.fileno())
            with contextlib.suppress(OSError):  # no descriptors or no memory: nothing more can be said
                self._accept_waiting(BACKLOG)
            self._socket.close()

    def _accept(self) -> None:
        try:
            self._accept_waiting(ACCEPTS_PER_TURN)
        except OSError:
            # no descriptors or no memory: to ask again at once would only burn the processor
            self._loop.remove_reader(self._socket.fileno())
            self._pause = self._loop.call_later(PAUSE_SECONDS, self._resume)

    def _accept_waiting(self, most: int) -> None:
        """Hands on those that wait, *most* of them. Raises OSError where the system can make no socket for one."""
        for _ in range(most):
            try:
                accepted, peer_name = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # gone before we came to it
            accepted.setblocking(False)
            self._accepted(accepted, peer_name)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket.fileno(), self._accept)


def remove_path(endpoint: Endpoint) -> None:
    """Removes the file of a Unix socket that is closed; for any other address, nothing."""
    if endpoint.path is not None:
        with contextlib.suppress(OSError):
            endpoint.path.unlink()
