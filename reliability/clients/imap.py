"""An IMAP client that leaves the meaning of most answers to its caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reliability.clients.line import Farewell, Line
from reliability.clients.scram import Scram

IDLE_LOOK_SECONDS = 0.5

_LITERAL_END = re.compile(rb"\{(\d+)\}\r\n\Z")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answers to a command: untagged ones with their literals, and the tagged one without its tag."""

    untagged: Sequence[bytes]
    tagged: bytes

    @property
    def is_ok(self) -> bool:
        """Whether the command was done."""
        return self.tagged.startswith(b"OK")

    def find(self, pattern: bytes) -> re.Match[bytes] | None:
        """The first match in any answer."""
        return re.search(pattern, b"".join((*self.untagged, self.tagged)))

    def number(self, code: bytes) -> int:
        """The number of a response code such as UIDNEXT; 0 without it. The last one counts."""
        found = re.findall(rb"\[%b (\d+)\]" % code, b"".join((*self.untagged, self.tagged)))
        return int(found[-1]) if found else 0


class Imap:
    """A session of one account, with QRESYNC enabled."""

    def __init__(self, port: int, name: str, password: str) -> None:
        """Logs in. Raises Cut, and AssertionError if the login is refused."""
        self._line = Line(port)
        self._tags = 0
        try:
            self._expect(b"* OK")
            self._log_in(Scram(name, password))
            self.must(b"ENABLE QRESYNC")
        except BaseException:
            self.close()
            raise

    def _log_in(self, scram: Scram) -> None:
        self._line.send(b"in AUTHENTICATE SCRAM-SHA-256 %b\r\n" % scram.first())
        challenge = self._expect(b"+ ")
        self._line.send(scram.final(challenge[2:]) + b"\r\n")
        self._expect(b"+ ")
        self._line.send(b"\r\n")
        self._expect(b"in OK")

    def _expect(self, start: bytes) -> bytes:
        line = self._line.line()
        if line.startswith(b"* BYE"):
            raise Farewell(self._line.ports)
        assert line.startswith(start), line
        return line

    def run(self, *pieces: bytes) -> Answer:
        """Sends one command, where every second piece is a literal, and waits for its answer. Raises Cut."""
        (answer,) = self.run_all([pieces])
        return answer

    def must(self, *pieces: bytes) -> Answer:
        """Like ``run``; raises AssertionError if the command is refused."""
        answer = self.run(*pieces)
        assert answer.is_ok, (pieces[0], answer.tagged)
        return answer

    def run_all(self, commands: Sequence[Sequence[bytes]]) -> Iterator[Answer]:
        """Sends *commands* at once; gives each answer when it is there. Raises Cut."""
        tags = []
        octets = b""
        for pieces in commands:
            self._tags += 1
            tags.append(b"t%d" % self._tags)
            octets += b"%b %b\r\n" % (tags[-1], with_literals(pieces))
        self._line.send(octets)
        for tag in tags:
            yield self._answer_to(tag)

    def idle(self, is_over: Callable[[], bool]) -> Answer:
        """IDLE until *is_over*, which is called again and again. Raises Cut."""
        self._tags += 1
        tag = b"t%d" % self._tags
        self._line.send(tag + b" IDLE\r\n")
        untagged = []
        while not (line := self._expect(b"")).startswith(b"+"):
            untagged.append(line)
        while not is_over():
            if self._line.has_more(IDLE_LOOK_SECONDS):
                untagged.append(self._expect(b"* "))
        self._line.send(b"DONE\r\n")
        rest = self._answer_to(tag)
        return Answer((*untagged, *rest.untagged), rest.tagged)

    def _answer_to(self, tag: bytes) -> Answer:
        untagged: list[bytes] = []
        while True:
            answer = self._line.line()
            while found := _LITERAL_END.search(answer):
                answer += self._line.octets(int(found[1])) + self._line.line()
            if answer.startswith(b"* BYE"):
                raise Farewell(self._line.ports)
            if answer.startswith(tag + b" "):
                return Answer(untagged, answer[len(tag) + 1 :])
            assert answer.startswith(b"* "), answer
            untagged.append(answer)

    def close(self) -> None:
        """Closes the connection without a farewell."""
        self._line.close()


def with_literals(pieces: Sequence[bytes]) -> bytes:
    """A command as octets; every second of *pieces* is sent as a literal (RFC 7888)."""
    return b"".join(b"{%d+}\r\n%b" % (len(piece), piece) if at % 2 else piece for at, piece in enumerate(pieces))
