"""Whole sessions in memory, of each protocol, on the naive engine and on SQLite."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

from reliability.fuzz import corpus
from reliability.fuzz.sessions.host import Host
from reliability.fuzz.sessions.line_answers import read_lmtp, read_pop3
from reliability.fuzz.sessions.responses import Responses
from reliability.fuzz.sessions.server import Server
from reliability.fuzz.sessions.stages import STAGES, script
from reliability.fuzz.target import Target, require
from reliability.fuzz.targets import commands, lines, mail


@cache
def host(protocol: str, sqlite: bool) -> Host:
    """The one host of this process for a protocol and an engine."""
    return Host(protocol, sqlite=sqlite)


def session(octets: bytes, protocol: str, read: Callable[[bytes, int], None], *, sqlite: bool) -> None:
    """Every answer is well-formed, and no error is logged."""
    played = script(protocol, octets)
    answers = host(protocol, sqlite).answers(played)
    read(answers, (played.before + played.octets).count(b"\n") + 1)


def _imap(answers: bytes, most: int) -> None:
    responses = Responses(answers)
    responses.read()
    require(responses.tagged <= most, "more answers than commands")


def _pop3(answers: bytes, most: int) -> None:
    read_pop3(answers)


def _lmtp(answers: bytes, most: int) -> None:
    read_lmtp(answers)


def _scripts(protocol: str) -> Iterator[bytes]:
    """What the transcripts send, in the state in which they begin, and what they send in every other state."""
    for name in STAGES[protocol]:
        yield f"{name} 0\n".encode()
    for number, octets in enumerate(corpus.sent(protocol)):
        for name in ("none", list(STAGES[protocol])[number % len(STAGES[protocol])], "selected", "transaction", "rcpt"):
            if name in STAGES[protocol]:
                yield f"{name} {number}\n".encode() + octets


def _words(protocol: str, words: Sequence[bytes]) -> tuple[bytes, ...]:
    return (
        *words,
        b"*\r\n",
        b"DONE\r\n",
        b"\r\n.\r\n",
        b"AGxpbmRhAFBhJCQxMjM=\r\n",
        *(name.encode() + b" 1\n" for name in STAGES[protocol]),
    )


def _target(
    protocol: str, what: str, read: Callable[[bytes, int], None], words: Sequence[bytes], *, sqlite: bool
) -> Target:
    name = f"{protocol}-sqlite" if sqlite else f"{protocol}-session"
    run = partial(session, protocol=protocol, read=read, sqlite=sqlite)
    return Target(
        name,
        what,
        run,
        partial(_scripts, protocol),
        _words(protocol, words),
        longest=3000,
        grows=False,
        weight=3.0 if protocol == "imap" else 1.5,
    )


@cache
def _server() -> Server:
    return Server()


def sockets(octets: bytes) -> None:
    """The same scripts over sockets, to a server in processes of its own; with TLS and COMPRESS."""
    protocol = list(STAGES)[zlib.crc32(octets[:40]) % len(STAGES)]
    head = octets.partition(b" ")[0].decode("latin-1")
    if head not in STAGES[protocol]:
        protocol = next((each for each in STAGES if head in STAGES[each]), protocol)
    played = script(protocol, octets)
    answers = _server().play(protocol, played)
    if answers is not None:
        _READERS[protocol](answers, (played.before + played.octets).count(b"\n") + 1)


def _close() -> None:
    if _server.cache_info().currsize:
        _server().stop()


_READERS = {"imap": _imap, "pop3": _pop3, "lmtp": _lmtp}

IMAP_WORDS = (*commands.WORDS, *(line + b"\r\n" for line in corpus.lines("imap") if 0 < len(line) < 100))
LINE_WORDS = (*lines.LINES, *mail.WORDS[:12])

IN_MEMORY = tuple(
    _target(protocol, f"{protocol.upper()} sessions in every state, {engine}", read, words, sqlite=sqlite)
    for sqlite, engine in ((False, "naive engine"), (True, "SQLite"))
    for protocol, read, words in (
        ("imap", _imap, IMAP_WORDS),
        ("pop3", _pop3, (*LINE_WORDS, *(line + b"\r\n" for line in corpus.lines("pop3")))),
        ("lmtp", _lmtp, (*LINE_WORDS, *(line + b"\r\n" for line in corpus.lines("lmtp")))),
    )
)

TARGETS = (
    *IN_MEMORY,
    Target(
        "sockets",
        "sessions over sockets to a real server, with TLS and COMPRESS",
        sockets,
        lambda: (each for protocol in STAGES for each in _scripts(protocol)),
        (*_words("imap", IMAP_WORDS), *_words("pop3", ()), *_words("lmtp", ())),
        longest=3000,
        is_one_answer=False,
        grows=False,
        is_guided=False,
        close=_close,
        weight=3.0,
    ),
)
