"""TLS as a layer: turns encrypted octets into clear ones, and clear ones into encrypted ones (RFC 8446).

The TLS of event loops keeps a buffer of 256 KiB for each connection. Its touched pages would be half the memory of an
idle connection. Here only the buffers of the library remain. They grow to the size of the largest piece that they get,
and never shrink; so they get at most one record at a time.
"""

from __future__ import annotations

import contextlib
import ssl

from mektup.server.layers.client_names import name_in
from mektup.server.layers.server_tls import ServerTls
from mektup.terms.errors import Disconnected

RECORD_BYTES = 16 * 1024
"""The most that one record of TLS holds (RFC 8446 §5.1)."""


class NotTls(Disconnected):
    """A client sent clear text where TLS is expected; *said* is the octets that came."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self.said = said


class TlsLayer:
    """The server's end; a ``stack.Layer``."""

    has_more = False
    """Nothing is ever held back: the layer is not larger inside. See Layer."""

    __slots__ = (
        "_from_wire",
        "_is_first",
        "_layer",
        "_server_tls",
        "_to_wire",
        "ended",
        "established",
        "failure",
        "said_in_clear",
    )

    def __init__(self, server_tls: ServerTls) -> None:
        """Waits for the client to begin a handshake."""
        self._from_wire = ssl.MemoryBIO()
        self._to_wire = ssl.MemoryBIO()
        self._server_tls = server_tls
        self._layer = server_tls.context.wrap_bio(self._from_wire, self._to_wire, server_side=True)
        self._is_first = True
        self.established = False
        """Whether the handshake is complete."""
        self.ended = False
        """Whether no more octets will come: the client has closed TLS, or TLS failed."""
        self.failure: ssl.SSLError | None = None
        """Why the layer can no longer be used."""
        self.said_in_clear: bytes | None = None
        """The first octets of a client that does not speak TLS; None for any other client."""

    @property
    def certificate_hash(self) -> bytes | None:
        """See ``terms.peer.TlsFacts``."""
        return self._server_tls.certificate_hash

    @property
    def client_name(self) -> str | None:
        """See ``terms.peer.TlsFacts``."""
        if (where := self._server_tls.client_name) is None:
            return None
        try:
            certificate = self._layer.getpeercert()
        except ValueError:
            # before the handshake; or a name that is not what it says it is, which is none
            return None
        return name_in(certificate, where) if certificate else None

    def receive(self, octets: bytes) -> bytes:
        """The clear octets in *octets*; none during the handshake. See Layer."""
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
            # the traceback would keep this layer alive
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
        """Octets of the handshake, of new keys, or of a failure. See Layer."""
        return self._to_wire.read()

    def send(self, octets: bytes) -> bytes:
        """The encrypted records for *octets*; none after a failure. See Layer."""
        if self.failure is not None:
            return b""
        records: list[bytes] = []
        whole, at = memoryview(octets), 0
        while at < len(octets):
            at += self._layer.write(whole[at : at + RECORD_BYTES])
            records.append(self._to_wire.read())
        return b"".join(records)

    def rest(self) -> None:
        """Nothing. See Layer."""

    def close(self) -> bytes:
        """The closure alert (RFC 8446 §6.1). See Layer."""
        if self.established and self.failure is None:
            # does not wait for the closure alert of the client
            with contextlib.suppress(ssl.SSLError):
                self._layer.unwrap()
        return self._to_wire.read()


def _is_text(octets: bytes) -> bool:
    """Whether a stream that begins with *octets* is clear text, not a record of TLS (RFC 8446 §5.1)."""
    return bool(octets) and (octets[0] in b"\t\r\n" or 0x20 <= octets[0] < 0x7F)
