"""Good input to begin with: the transcripts, the messages of the tests, and real mail where there is some."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.peer.corpus import messages
from tests.support.runner import crlf
from tests.support.transcript import Send, Transcript, read

TRANSCRIPTS = Path(__file__).parents[2] / "tests" / "transcripts"

MOST_MAIL_BYTES = 16 * 1024


@cache
def transcripts() -> tuple[Transcript, ...]:
    """All transcripts."""
    return tuple(read(path) for path in sorted(TRANSCRIPTS.glob("*/*.txt")))


@cache
def sent(protocol: str) -> tuple[bytes, ...]:
    """What clients send on each connection of *protocol* in each transcript, without waiting for anything."""
    return tuple(octets for transcript in transcripts() for octets in _connections(transcript, protocol))


def _connections(transcript: Transcript, protocol: str) -> Iterator[bytes]:
    streams: dict[str, bytes] = {}
    for step in transcript.steps:
        spoken = step.connection if step.connection in ("pop3", "lmtp") else transcript.head("protocol", "imap")
        if isinstance(step, Send) and spoken == protocol:
            streams[step.connection] = streams.get(step.connection, b"") + octets_of(step)
    yield from streams.values()


def octets_of(step: Send) -> bytes:
    """The octets of a ``C:`` line; literals do not wait."""
    octets = b""
    for piece in step.pieces:
        octets += piece.text
        if piece.literal is not None:
            octets += b"{%d+}\r\n%b" % (len(piece.literal), piece.literal)
    return octets + (b"\r\n" if step.ends_line else b"")


@cache
def lines(protocol: str) -> tuple[bytes, ...]:
    """Every line sent in a transcript, without its end."""
    return tuple(dict.fromkeys(line for stream in sent(protocol) for line in stream.split(b"\r\n")))


@cache
def mail() -> tuple[bytes, ...]:
    """Messages, with CRLF as line ends."""
    ours = [crlf(file.read_bytes()) for file in sorted((TRANSCRIPTS / "mail").glob("*.eml"))]
    return tuple(octets for octets in (*ours, *messages().values()) if len(octets) <= MOST_MAIL_BYTES)


@cache
def fields(*names: str) -> tuple[bytes, ...]:
    """The values of the fields *names* (lower case) in the messages, unfolded line by line."""
    found: list[bytes] = []
    for octets in mail():
        header = octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
        for line in header.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower().decode("latin-1") in names:
                found.append(value.strip())
    return tuple(dict.fromkeys(found))
