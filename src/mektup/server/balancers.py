"""Takes the header of the PROXY protocol off an accepted socket, before a connection exists.

It reads the raw socket, so neither TLS nor a session ever sees the header, and no octet behind it is taken.
"""

from __future__ import annotations

import asyncio
import socket

from mektup.server.proxy_header import MOST_BYTES, ProxyError, read_header

HEADER_SECONDS = 5.0
"""How long a balancer may take to send its header."""


async def take_header(accepted: socket.socket) -> str | None:
    """Reads exactly the header from *accepted*, which is non-blocking, and returns the client's IP address.

    None if the header names no address. Raises ProxyError; OSError if the connection ended before any octet.
    """
    try:
        async with asyncio.timeout(HEADER_SECONDS):
            return await _take(accepted)
    except TimeoutError:
        raise ProxyError("the header did not come in time") from None


async def _take(accepted: socket.socket) -> str | None:
    taken = b""
    while True:
        await _readable(accepted)
        # only looked at: what follows the header belongs to the session
        try:
            seen = accepted.recv(MOST_BYTES + 1 - len(taken), socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            continue
        if not seen and not taken:
            raise ConnectionAbortedError
        if not seen:
            raise ProxyError("the connection ended within the header")
        header = read_header(taken + seen)
        # these octets have come already, so this does not wait, and returns all of them
        taken += accepted.recv(len(seen) if header is None else header.octets - len(taken))
        if header is not None:
            return header.source


async def _readable(accepted: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(accepted.fileno(), _wake, readable)
    try:
        await readable
    finally:
        loop.remove_reader(accepted.fileno())


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
