"""An LMTP client."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reliability.clients.line import Farewell, Line


class Lmtp:
    """A session that has said LHLO."""

    def __init__(self, port: int) -> None:
        """Raises Cut."""
        self._line = Line(port)
        try:
            self._expect(b"220")
            self._line.send(b"LHLO crash.example\r\n")
            self._expect(b"250")
        except BaseException:
            self.close()
            raise

    def offer(self, sender: str, recipients: Sequence[str]) -> None:
        """MAIL, RCPT and DATA; each recipient must be accepted. Raises Cut."""
        self._line.send(f"MAIL FROM:<{sender}>\r\n".encode())
        self._expect(b"250")
        for recipient in recipients:
            self._line.send(f"RCPT TO:<{recipient}>\r\n".encode())
            self._expect(b"250")
        self._line.send(b"DATA\r\n")
        self._expect(b"354")

    def send(self, raw: bytes, recipients: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Sends *raw*, which ends with CRLF; gives the reply for each recipient when it is there. Raises Cut."""
        self._line.send(re.sub(rb"(?m)^\.", b"..", raw) + b".\r\n")
        for recipient in recipients:
            yield recipient, self._reply()

    def _expect(self, code: bytes) -> None:
        reply = self._reply()
        assert reply.startswith(code), reply

    def _reply(self) -> bytes:
        while True:
            line = self._line.line()
            if line.startswith(b"421"):
                raise Farewell(self._line.ports)
            if line[3:4] == b" ":
                return line

    def close(self) -> None:
        """Closes the connection."""
        self._line.close()
