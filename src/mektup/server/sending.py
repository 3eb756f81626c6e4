"""How octets and acknowledgements leave a socket at once, past asyncio's transport."""

from __future__ import annotations

import asyncio
import contextlib
import os

from mektup.store import system


def write_now(transport: asyncio.Transport, file: int, octets: bytes) -> None:
    """Writes to the socket *file* at once, because its transport would write only in the next round of the loop."""
    try:
        written = os.write(file, octets)
    except OSError:
        written = 0  # no room, or the client is gone: the transport meets the same error and handles it
    if written < len(octets):
        transport.write(memoryview(octets)[written:])


def acknowledge(transport: asyncio.Transport) -> None:
    """Acknowledges the received octets at once, because no answer is due that could carry the acknowledgement.

    Clients such as imaplib send a literal, or the end of a message, in two writes. Nagle's algorithm holds the second
    write until the first is acknowledged, and the kernel delays that by 40 ms. The kernel forgets the option, so it is
    set each time (tcp(7), TCP_QUICKACK).
    """
    client = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # the client is gone; the transport will notice
        system.acknowledge(client)
