"""A POP3 client."""

from __future__ import annotations

from reliability.clients.line import Farewell, Line
from reliability.clients.scram import Scram


class Pop3:
    """A session of one account."""

    def __init__(self, port: int, name: str, password: str) -> None:
        """Logs in. Raises Cut."""
        self._line = Line(port)
        try:
            self._expect(b"+OK")
            scram = Scram(name, password)
            self._line.send(b"AUTH SCRAM-SHA-256 %b\r\n" % scram.first())
            for number in range(2):
                challenge = self._expect(b"+ ")
                self._line.send((scram.final(challenge[2:]) if number == 0 else b"") + b"\r\n")
            self._expect(b"+OK")
        except BaseException:
            self.close()
            raise

    def unique_ids(self) -> dict[int, str]:
        """UIDL: by number."""
        self._line.send(b"UIDL\r\n")
        self._expect(b"+OK")
        found = {}
        while (line := self._line.line()) != b".\r\n":
            number, unique_id = line.decode().split()
            found[int(number)] = unique_id
        return found

    def delete(self, number: int) -> None:
        """DELE."""
        self._line.send(b"DELE %d\r\n" % number)
        self._expect(b"+OK")

    def quit(self) -> None:
        """QUIT: only now the server removes what was deleted."""
        self._line.send(b"QUIT\r\n")
        self._expect(b"+OK")

    def _expect(self, start: bytes) -> bytes:
        answer = self._line.line()
        if answer.startswith(b"-ERR [SYS/TEMP]"):
            raise Farewell(self._line.ports)
        assert answer.startswith(start), answer
        return answer

    def close(self) -> None:
        """Closes the connection."""
        self._line.close()
