"""DEFLATE as a layer: what the COMPRESS command of IMAP starts (RFC 4978; RFC 1951 without a header).

A client can send a thousand octets in one ("a bomb"). So no call inflates more than INFLATED_BYTES; the rest waits in
its compressed form, and whoever has the layer reads no more from the socket meanwhile.
"""

from __future__ import annotations

import zlib

INFLATED_BYTES = 64 * 1024
"""The most octets that one call of ``receive`` returns."""

WINDOW_BITS = 15
"""Of what the client sends: it may refer to the last 32 KiB. That takes up to 40 KiB."""

OUR_WINDOW_BITS, OUR_MEMORY_LEVEL = 13, 6
"""Of what we send: 64 KiB, a quarter of zlib's default, for answers that get hardly larger."""

LEVEL = 5
"""The highest level that still compresses some 200 MB of FETCH responses in a second."""


class DeflateLayer:
    """The server's end; a ``stack.Layer``."""

    __slots__ = ("_compressor", "_decompressor", "_held", "_is_closed", "ended", "has_more")

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(-WINDOW_BITS)
        self._compressor: zlib._Compress | None = None
        self._held = b""
        self._is_closed = False
        self.ended = False
        self.has_more = False

    def receive(self, octets: bytes) -> bytes:
        """At most INFLATED_BYTES. See Layer."""
        if self.ended or self._is_closed:
            return b""
        try:
            inflated = self._decompressor.decompress(self._held + octets, INFLATED_BYTES)
        except zlib.error:
            # no farewell: a client that compresses wrongly could not understand what follows
            self.ended, self.has_more, self._held = True, False, b""
            return b""
        self._held = self._decompressor.unconsumed_tail
        self.ended = self._decompressor.eof
        # zlib itself may hold back the end of a copy
        self.has_more = not self.ended and (bool(self._held) or len(inflated) == INFLATED_BYTES)
        return inflated

    def to_send(self) -> bytes:
        """Nothing: the layer says nothing by itself. See Layer."""
        return b""

    def send(self, octets: bytes) -> bytes:
        """See Layer. Ends in a flush, so that the client can read all of *octets*."""
        compressor = self._compressor
        if compressor is None:
            compressor = self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -OUR_WINDOW_BITS, OUR_MEMORY_LEVEL)
        return compressor.compress(octets) + compressor.flush(zlib.Z_SYNC_FLUSH)

    def rest(self) -> None:
        """Frees the memory for sending. After a flush, a new compressor goes on where the last one ended. See Layer."""
        self._compressor = None

    def close(self) -> bytes:
        """Nothing; from now on, nothing is received. See Layer."""
        self._is_closed, self.has_more, self._held = True, False, b""
        return b""
