"""TLS of one connection, without its socket: octets of the wire in and out, the client's in clear out and in.

Event loops have TLS of their own, but keep a buffer of 256 KiB for each connection, of which some pages stay
touched: half of what a connection that waits would cost. Here nothing stays but what the library needs, whose
buffers grow to what they are given at once, and are never given back; so they are given no more than a record.
"""

from __future__ import annotations

import contextlib
import ssl

RECORD_BYTES = 16 * 1024
"""The most that one record of TLS holds (RFC 8446 §5.1)."""


class TlsStream:
    """The server's end of it. What ``to_send`` yields is to be sent after each of the others."""

    __slots__ = ("_from_wire", "_is_first", "_layer", "_to_wire", "ended", "established", "failure", "said_in_clear")

    def __init__(self, context: ssl.SSLContext) -> None:
        """Waits for the client to begin a handshake."""
        self._from_wire = ssl.MemoryBIO()
        self._to_wire = ssl.MemoryBIO()
        self._layer = context.wrap_bio(self._from_wire, self._to_wire, server_side=True)
        self._is_first = True
        self.established = False
        """Whether hands are shaken."""
        self.ended = False
        """Whether nothing more will come: the client said so, or something failed."""
        self.failure: ssl.SSLError | None = None
        """Why nothing can be said or heard any more."""
        self.said_in_clear: bytes | None = None
        """What a client that does not speak TLS said first; None as long as it is not known to be one."""

    def receive(self, octets: bytes) -> bytes:
        """What the client says in *octets* of the wire, as they came; empty as long as hands are shaken."""
        if self._is_first and _is_text(octets):
            self.said_in_clear, self.ended = octets, True
            self.failure = ssl.SSLError("no TLS, but words in the clear")
            return b""
        self._is_first = False
        said: list[bytes] = []
        whole = memoryview(octets)
        try:
            for start in range(0, len(octets), RECORD_BYTES):
                if self.ended:
                    break
                self._from_wire.write(whole[start : start + RECORD_BYTES])
                self._read_to(said)
        except ssl.SSLError as error:
            # where it was raised it would hold this very stream
            self.failure, self.ended = error.with_traceback(None), True
        return said[0] if len(said) == 1 else b"".join(said)

    def _read_to(self, said: list[bytes]) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.established:
                self._layer.do_handshake()
                self.established = True
            while octets := self._layer.read(RECORD_BYTES):
                said.append(octets)
            self.ended = True

    def to_send(self) -> bytes:
        """What the library itself has to say, often nothing: of the handshake, of new keys, of a failure."""
        return self._to_wire.read()

    def send(self, octets: bytes) -> list[bytes]:
        """What carries *octets* to the client; nothing where it could not be understood any more."""
        records: list[bytes] = []
        if self.failure is not None:
            return records
        whole, at = memoryview(octets), 0
        while at < len(octets):
            at += self._layer.write(whole[at : at + RECORD_BYTES])
            records.append(self._to_wire.read())
        return records

    def close(self) -> bytes:
        """What tells the client that nothing more will be said (RFC 8446 §6.1)."""
        if self.established and self.failure is None:
            # its own word of that is not waited for
            with contextlib.suppress(ssl.SSLError):
                self._layer.unwrap()
        return self._to_wire.read()


def _is_text(octets: bytes) -> bool:
    """Whether a stream that begins so is a person's or a program's words, and no record of TLS (RFC 8446 §5.1)."""
    return bool(octets) and (octets[0] in b"\t\r\n" or 0x20 <= octets[0] < 0x7F)
