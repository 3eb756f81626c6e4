"""Tests of the runner, against a toy session with just enough of a protocol."""

from __future__ import annotations

from pathlib import Path

import pytest

from mektup.terms.errors import Disconnected, TimedOut
from tests.support.memory import MemoryPeer, MemoryWorld
from tests.support.runner import TranscriptFailed, play
from tests.support.transcript import Expect, MalformedTranscript, Piece, Send, Transcript, parse


class ToySession:
    """Counts messages and shows one; it understands one literal in each command."""

    def __init__(self, toys: Toys, peer: MemoryPeer) -> None:
        self._toys = toys
        self._peer = peer
        self._unread = b""

    async def run(self) -> None:
        self._peer.write(b"* OK toy ready\r\n")
        try:
            while (line := await self._take(b"\r\n")) and await self._obey(*line.split(b" ", 2)):
                pass
        except Disconnected:
            return
        except TimedOut:
            self._peer.write(b"* BYE too slow\r\n")

    async def _take(self, until: bytes | int) -> bytes:
        while len(self._unread) < until if isinstance(until, int) else until not in self._unread:
            self._unread += await self._peer.read(1800)
        end = until if isinstance(until, int) else self._unread.index(until) + len(until)
        taken, self._unread = self._unread[:end], self._unread[end:]
        return taken

    async def _obey(self, tag: bytes, verb: bytes, rest: bytes = b"") -> bool:
        write = self._peer.write
        match verb.strip().upper():
            case b"KEEP" if rest.endswith(b"+}\r\n"):
                self._toys.kept = await self._take(int(rest[rest.index(b"{") + 1 : -4]))
                await self._take(b"\r\n")
            case b"KEEP" if rest.startswith(b"nowhere"):
                write(tag + b" NO [TRYCREATE] no such place\r\n")
                return True
            case b"KEEP":
                write(b"+ go on\r\n")
                self._toys.kept = await self._take(int(rest[rest.index(b"{") + 1 : -3]))
                await self._take(b"\r\n")
            case b"SHOW":
                write(b"* 1 SHOWN (UID 7 TEXT {%d}\r\n%b)\r\n" % (len(self._toys.kept), self._toys.kept))
            case b"BOTH":
                write(b"* ONE\r\n* TWO\r\n")
            case b"STARTTLS":
                write(tag + b" OK go ahead\r\n")
                await self._peer.start_tls()
                return True
            case b"LOGOUT":
                write(b"* BYE\r\n" + tag + b" OK bye\r\n")
                return False
            case b"LOGIN" | b"SELECT" | b"SECURE" if verb.strip() != b"SECURE" or self._peer.secure:
                pass
            case _:
                write(tag + b" BAD what?\r\n")
                return True
        write(tag + b" OK [NOTED 7] done\r\n")
        return True


class Toys:
    """A backend for toy sessions."""

    def __init__(self) -> None:
        self.kept = b""

    def session(self, protocol: str, peer: MemoryPeer) -> ToySession:
        assert protocol == "imap"
        return ToySession(self, peer)

    async def deliver(self, raw: bytes, account: str) -> None:
        self.kept = raw + account.encode()

    async def reopen(self) -> None:
        self.kept += b"!"

    async def close(self) -> None:
        self.kept = b""


GOOD: dict[str, str] = {
    "a literal that waits for leave, and one that comes back": r"""
C: a KEEP {}
   |one
   |<, and
   |two\x00
S: + $...
S: a OK [NOTED $n] $...
C: b SHOW
S: * 1 SHOWN (UID $n TEXT {}
   |one, and
   |two\x00
   >)
S: b OK $...
""",
    "a literal that does not wait": """
C: a KEEP {+}
   |
S: a OK $...
""",
    "a literal that is refused": """
C: a KEEP nowhere {}
   |lost
S: a NO [TRYCREATE] $...
C: b BOTH
S: * ONE
S: * TWO
S: b OK $...
""",
    "two connections, pipelining, skipping": """
C: a BOTH
C: b SHOW
phone C: p BOTH
phone S: ...
phone S: p OK [NOTED $n] $...
S: ...
S: a OK $...
S: * 1 SHOWN $...
S: b OK [NOTED $n] $...
C: c LOGOUT
S: * BYE
S: c OK $...
S: (closed)
""",
    "any order": """order: any

C: a BOTH
S: * TWO
S: * ONE
S: a OK $...
""",
    "the world outside of the wire": """
! deliver mail/three.eml to linda
C: a SHOW
S: * 1 SHOWN (UID 7 TEXT {}
   |1
   |2
   |linda
   >)
S: a OK $...
! restart
C: a SHOW
S: * 1 SHOWN (UID 7 TEXT {}
   |1
   |2
   |linda!
   >)
S: a OK $...
! clock +29m
C: b BOTH
S: ...
S: b OK $...
! clock +31m
S: * BYE too slow
S: (closed)
""",
    "half a line, the rest, and an end": """state: none

S: * OK $...
C<: a BO
C: TH
S: ...
S: a OK $...
C<: half
! close
""",
    "TLS": """tls: no

C: a SECURE
S: a BAD $...
C: b STARTTLS
S: b OK $...
! tls
C: c SECURE
S: c OK $...
""",
    "a dollar that names nothing": """
C: a LOGIN linda Pa$$123 $Junk
S: a OK $...
""",
}

BAD: dict[str, tuple[str, str]] = {
    "a wrong number": ("C: a LOGIN\nS: a OK [NOTED 8] $...", "first differing column: 13"),
    "a name bound otherwise": (
        "C: a LOGIN\nS: a OK [$n 7] $...\nC: b LOGIN\nS: b OK [$m $n] $...",
        "column: 13",
    ),
    "something left over": ("C: a BOTH\nS: * ONE", "left unread"),
    "something left over on another connection": ("C: a LOGIN\nS: a OK $...\nphone C: a LOGIN", "connection phone"),
    "too little": ("C: a LOGIN\nS: a OK $...\nS: * TWO", "no such response came"),
    "an end": ("C: a LOGOUT\nS: * BYE\nS: a OK $...\nS: * TWO", "the connection was closed"),
    "no end": ("C: a LOGIN\nS: (closed)", "more came before the end"),
    "one too many in any order": ("C: a SHOW\nS: * ONE\nS: a OK $...", "expected"),
}


async def play_toy(text: str, by_octet: bool, mail: Path) -> None:
    """Plays a transcript against toy sessions."""
    transcript = parse(text)
    await play(transcript, MemoryWorld(Toys(), by_octet=by_octet, secure=transcript.head("tls") != "no"), mail)


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    (tmp_path / "three.eml").write_bytes(b"1\n2\n")
    return tmp_path


@pytest.mark.parametrize("by_octet", [False, True], ids=["whole", "by octet"])
@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD.keys())
async def test_plays_what_is_right(text: str, by_octet: bool, mail: Path) -> None:
    await play_toy("title\n" + text, by_octet, mail)


@pytest.mark.parametrize("by_octet", [False, True], ids=["whole", "by octet"])
@pytest.mark.parametrize(("steps", "told"), BAD.values(), ids=BAD.keys())
async def test_fails_where_something_is_wrong(
    steps: str, told: str, by_octet: bool, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.runner.SECONDS", 0.2)
    with pytest.raises(TranscriptFailed, match=told):
        await play_toy("title\n\n" + steps, by_octet, mail)


async def test_a_failure_shows_the_place(mail: Path) -> None:
    with pytest.raises(TranscriptFailed) as failed:
        await play_toy("title\n\nC: a LOGIN\nS: a OK [NOTED 8] $...\nC: b NEVER", False, mail)
    shown = str(failed.value)
    assert "   4 S: a OK [NOTED 8] $..." in shown
    assert "     a OK [NOTED 7] done\n                 ^" in shown
    assert "b NEVER" not in shown


@pytest.mark.parametrize(
    "text",
    ["title\nnokey: value\n", "title\n\nX: a", "title\n\n! juggle", "title\n\nC: a {}", "title\n\nC: a\n   |octets"],
    ids=["unknown head", "no step", "unknown act", "literal without octets", "octets without literal"],
)
def test_a_file_that_is_wrong_is_said_to_be(text: str) -> None:
    with pytest.raises(MalformedTranscript):
        parse(text)


def test_reads_heads_and_steps() -> None:
    transcript = parse(
        "RFC 1 §2: t\nmailbox: a 1 messages\nmailbox: b\n# remark\n\nC: a ~{+}\n  |\\x00\n  > b\nx S: ok\n"
    )
    assert transcript == Transcript(
        "RFC 1 §2: t",
        (("mailbox", "a 1 messages"), ("mailbox", "b")),
        (
            Send(6, "", (Piece(b"a ~", b"\x00", False), Piece(b" b")), True),
            Expect(9, "x", (Piece(b"ok"),)),
        ),
        transcript.lines,
    )


def test_every_kind_of_act_is_played_above() -> None:
    played: set[str] = set()
    for text in GOOD.values():
        played |= parse("title\n" + text).acts
    assert played >= {"deliver", "clock", "restart", "tls", "close"}
