"""How octets and acknowledgements leave a socket at once, past asyncio's transport."""

from __future__ import annotations

import asyncio
import contextlib
import os

from mektup.server.layers.stack import Layer
from mektup.store import system

JOIN_BYTES = 256 * 1024
"""Queued output up to this size is joined. More is sent piece by piece, to save the copy."""


def send_queued(transport: asyncio.Transport, file: int, queued: list[bytes], size: int, layers: Layer | None) -> None:
    """Sends the pieces of output *queued*, *size* octets in all, through *layers*."""
    if len(queued) > 1 and size <= JOIN_BYTES:
        queued = [b"".join(queued)]
    if layers is not None:
        queued = [layers.send(octets) for octets in queued]
    if len(queued) > 1 or transport.is_closing() or transport.get_write_buffer_size():
        # not writelines(): after it, asyncio of 3.12.0 to 3.12.8, 3.13.0 and 3.13.1 does not call pause_writing
        # (gh-127655), so a client that reads nothing would fill the memory
        for octets in queued:
            transport.write(octets)
    else:
        write_now(transport, file, queued[0])


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
