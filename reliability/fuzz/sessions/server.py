"""A real server as a target: processes, sockets, TLS and COMPRESS, as in production. A few hundred scripts a minute."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import ssl
import tempfile
import time
import zlib
from functools import cache
from pathlib import Path

from bench.mektup import Mektup
from mektup.auth import passwords
from mektup.store.sqlite import open_store
from reliability.fuzz.sessions.host import filled
from reliability.fuzz.sessions.stages import PASSWORD, Script
from reliability.fuzz.target import Broken, pieces, require

SECONDS = 10.0
"""The longest time without an answer, on a busy machine."""

QUIET_SECONDS = 0.05
"""After so long without more octets, an answer is taken as complete."""

LOOK_EVERY = 25
"""Scripts between two looks at the server."""

MIB = 1024 * 1024
MOST_MEMORY = 512 * MIB
"""Of one process of the server."""

_SETTINGS = "[limits]\nlogin_delay_seconds = 0.01\nlogin_seconds = 20.0\n"
_FAULT = re.compile(rb"Traceback|command_failed|SERVERBUG|\[error|\[critical")

_COMPRESS = b"p2 COMPRESS DEFLATE\r\n"

PORTS = {"imap": ("imap", "imaps"), "pop3": ("pop3", "pop3s"), "lmtp": ("lmtp", "lmtp")}
START_TLS = {"imap": (b"t1 STARTTLS\r\n", b"t1 OK"), "pop3": (b"STLS\r\n", b"+OK Go ahead")}


class Server:
    """A running server with one account."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._mektup = Mektup(Path(self._folder.name), workers=1, settings="")
        self._mektup.configuration.write_text(self._mektup.configuration.read_text() + _SETTINGS)
        asyncio.run(self._fill())
        self._mektup.start()
        self._scripts = 0
        self._read = 0

    async def _fill(self) -> None:
        store = await open_store(self._mektup.data)
        try:
            account = await filled(store)
            await store.directory.set_secrets(account.name, passwords.secrets_for(PASSWORD.decode()))
        finally:
            await store.close()

    def stop(self) -> None:
        """Stops it; it must end well."""
        self._mektup.stop()
        self._folder.cleanup()

    def play(self, protocol: str, script: Script) -> bytes | None:
        """What the server answers to *script*; None where TLS hides the end of the answer."""
        plain, secure = PORTS[protocol]
        way = script.rng.choice(("plain", "tls", "start") if protocol in START_TLS else ("plain",))
        port = self._mektup.ports[secure if way == "tls" else plain]
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            client = Client(connection, script.rng)
            try:
                if way != "plain":
                    client.secure(START_TLS[protocol] if way == "start" else None)
                client.converse(script)
            except TimeoutError:
                raise Broken("the server does not answer, does not read, or does not close") from None
            answers = bytes(client.received)
        self._scripts += 1
        if self._scripts % LOOK_EVERY == 0:
            self._look()
        return answers if way == "plain" and not client.is_compressed else None

    def _look(self) -> None:
        """Raises Broken if the log tells of a fault, a NOOP takes long, or a process has much memory."""
        with self._mektup.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        fault = _FAULT.search(new)
        if fault is not None:
            raise Broken(f"the log tells of a fault: {new[max(0, fault.start() - 500) : fault.start() + 3000]!r}")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self._mektup.ports["imap"]), timeout=SECONDS) as connection:
            connection.sendall(b"n NOOP\r\n")
            said = b""
            while b"n OK" not in said:
                more = connection.recv(4096)
                require(more, "another client's connection is closed")
                said += more
        require(time.monotonic() - began < SECONDS, "another client waits long")
        for status in _processes(self._mektup.pid):
            found = re.search(r"VmRSS:\s+(\d+) kB", status)
            require(found is None or int(found[1]) * 1024 < MOST_MEMORY, "a process has much memory")


def _processes(pid: int) -> list[str]:
    """The status of a process and of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = []
    for each in (str(pid), *children):
        try:
            found.append(Path(f"/proc/{each}/status").read_text())
        except OSError:
            continue  # it has just ended
    return found


@cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Client:
    """One connection, which reads all that comes."""

    def __init__(self, connection: socket.socket, rng: random.Random) -> None:
        self.received = bytearray()
        self.is_compressed = False
        self._connection = connection
        self._rng = rng
        self._deflate = zlib.compressobj(wbits=-15)
        self._inflate = zlib.decompressobj(-15)

    def secure(self, start: tuple[bytes, bytes] | None) -> None:
        """Starts TLS, after the command in *start* if there is one."""
        if start is not None:
            self._connection.sendall(start[0])
            self._until(start[1])
        self._connection = _context().wrap_socket(self._connection)
        self.received.clear()

    def converse(self, script: Script) -> None:
        """Sends all of *script*, reads meanwhile, and closes."""
        try:
            before, compress, rest = script.before.partition(_COMPRESS)
            self._send(before + compress)
            if compress:
                # RFC 4978 §3: nothing may be sent before the OK
                self._until(b"p2 OK")
                self.is_compressed = True
                self._send(rest)
            for piece in pieces(script.octets) if self._rng.random() < 0.2 else [script.octets]:
                self._send(piece)
            self._take(QUIET_SECONDS)
            if not isinstance(self._connection, ssl.SSLSocket):
                self._connection.shutdown(socket.SHUT_WR)
                self._take(SECONDS)
        except TimeoutError:
            raise
        except OSError:
            pass  # the server may close at any time, and TLS then fails

    def _send(self, octets: bytes) -> None:
        if self.is_compressed and self._rng.random() < 0.9:
            octets = self._deflate.compress(octets) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        for start in range(0, len(octets), 16384):
            self._connection.sendall(octets[start : start + 16384])
            self._take(0.0)

    def _until(self, end: bytes) -> None:
        while end not in self.received:
            before = len(self.received)
            self._take(SECONDS, most=1)
            if len(self.received) == before:
                raise ConnectionError

    def _take(self, seconds: float, most: int = 10_000) -> None:
        """Reads what comes, until nothing came for *seconds*, or the end. Raises TimeoutError only after SECONDS."""
        for _ in range(most):
            self._connection.settimeout(seconds or 0.0001)
            try:
                octets = self._connection.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                if seconds >= SECONDS:
                    raise TimeoutError from None
                break
            finally:
                self._connection.settimeout(SECONDS)
            if not octets:
                break
            self.received += self._inflate.decompress(octets) if self.is_compressed else octets
