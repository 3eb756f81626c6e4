"""The addresses to listen at: free, or held by the server that runs."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from mektup.server.addresses import Endpoint, Service
from mektup.server.checking import texts
from mektup.server.checking.finding import Finding, failure, fine, warning
from mektup.server.checking.identity import Identity, why_denied
from mektup.server.checking.running import family, holders
from mektup.server.config import Config
from mektup.server.listeners import FIRST_FREE_PORT, RUN
from mektup.store import system

UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def addresses(config: Config, who: Identity, running: list[int]) -> Iterator[Finding]:
    """A finding for each address."""
    for service, endpoints in config.listen.items():
        for endpoint in endpoints:
            if endpoint.path is not None:
                yield _unix(service, endpoint.path, who)
            else:
                yield _tcp(service, endpoint, running)


def _tcp(service: Service, endpoint: Endpoint, running: list[int]) -> Finding:
    about = f"listen.{service.value}"
    try:
        found = socket.getaddrinfo(
            endpoint.host or None, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        return failure(about, texts.CANNOT_LISTEN.of(address=endpoint, reason=error.strerror))
    for family_, address in dict.fromkeys((entry[0], entry[4]) for entry in found):
        refused = _why_not_bound(family_, address)
        if refused in (0, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and (refused == 0 or len(found) > 1):
            continue
        if refused == errno.EADDRINUSE:
            return _taken(about, endpoint, running)
        if refused in (errno.EACCES, errno.EPERM) and endpoint.port < FIRST_FREE_PORT:
            if _is_answered(family_, address):
                return _taken(about, endpoint, running)
            return warning(about, texts.LOW_PORT.of(address=endpoint), texts.CAPABILITY)
        return failure(about, texts.CANNOT_LISTEN.of(address=endpoint, reason=_words(refused)))
    return fine(about, texts.FREE.of(address=endpoint))


def _why_not_bound(family_: int, address: tuple[object, ...]) -> int:
    """The errno of binding to *address*; 0 where that works. Nothing listens there, so no client notices."""
    with contextlib.closing(socket.socket(family_, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family_ == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno or errno.EIO
    return 0


def _is_answered(family_: int, address: tuple[object, ...]) -> bool:
    with contextlib.closing(socket.socket(family_, socket.SOCK_STREAM)) as client:
        client.settimeout(1.0)
        return client.connect_ex(address) == 0


def _taken(about: str, endpoint: Endpoint, running: list[int]) -> Finding:
    found = holders(endpoint.port)
    if found.keys() & family(running):
        return fine(about, texts.OURS.of(address=endpoint))
    if found:
        process, program = next(iter(found.items()))
        what = texts.TAKEN_BY.of(address=endpoint, program=program, process=process)
        return failure(about, what, texts.STOP_IT.of(program=program))
    if running and system.effective_user() != 0:
        # another user's processes show nobody their sockets; the server that runs is the likely holder
        return fine(about, texts.PROBABLY_OURS.of(address=endpoint))
    return failure(about, texts.TAKEN.of(address=endpoint))


def _unix(service: Service, path: Path, who: Identity) -> Finding:
    about = f"listen.{service.value}"
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return failure(about, texts.NO_SOCKET.of(file=path))
    except FileNotFoundError:
        if path.parent.parent == RUN and not path.parent.exists():
            return warning(about, texts.NO_RUNTIME_DIRECTORY.of(directory=path.parent), texts.UNIT_MAKES_IT)
    except OSError as error:
        return failure(about, texts.CANNOT_LISTEN.of(address=path, reason=error.strerror))
    (denied,) = why_denied(who, [(path.parent, True)])
    if denied is not None:
        return failure(about, denied)
    return fine(about, texts.SOCKET_FINE.of(file=path))


def _words(number: int) -> str:
    return OSError(number, "").strerror or errno.errorcode.get(number, str(number))
