"""Prepares the account for a transcript: makes what its heads name, over IMAP.

So the same code works for mektup in memory, mektup over sockets, and another server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.runner import Connection, Player, World, crlf, silently
from tests.support.transcript import MalformedTranscript, Transcript

INTERNALDATE = "17-Jul-1996 02:44:25 -0700"
"""The internal date of every message that a transcript starts with."""

_COUNT = re.compile(r"(\S+|\"[^\"]*\")(?: (\d+) messages)?")
_FILES = re.compile(r"(\S+\.eml)(?: (\([^)]*\)))?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message that exists before the first step."""

    mailbox: str
    raw: bytes
    flags: str = "()"


def numbered_message(number: int) -> bytes:
    """A message of ``mailbox: NAME n messages``: small, plain, each different."""
    return crlf(
        b"Date: Wed, 17 Jul 1996 02:23:25 -0700\n"
        b"From: Terry Gray <terry@example.org>\n"
        b"To: linda@example.org\n"
        b"Subject: message %d\n"
        b"Message-ID: <%d@example.org>\n"
        b"\n"
        b"This is message %d.\n" % (number, number, number)
    )


def mailboxes(transcript: Transcript) -> Iterator[str]:
    """Names of the mailboxes in the heads, as on the wire."""
    for value in transcript.all("mailbox"):
        yield value.split(" ")[0] if not value.startswith('"') else value[: value.index('"', 1) + 1]


def messages(transcript: Transcript, mail: Path) -> Iterator[Prepared]:
    """The messages in the heads: ``NAME n messages``, or ``NAME one.eml (\\Seen) two.eml``."""
    for mailbox, value in zip(mailboxes(transcript), transcript.all("mailbox"), strict=True):
        rest = value[len(mailbox) :].strip()
        if count := _COUNT.fullmatch(value):
            for number in range(1, int(count[2] or 0) + 1):
                yield Prepared(mailbox, numbered_message(number))
        elif _FILES.sub("", rest).strip():
            raise MalformedTranscript(f"{transcript.path}: neither a count nor files: {value}")
        else:
            for found in _FILES.finditer(rest):
                yield Prepared(mailbox, crlf((mail / found[1]).read_bytes()), found[2] or "()")


async def set_stage(transcript: Transcript, world: World, mail: Path) -> None:
    """Makes the mailboxes, messages and subscriptions in the heads, in the world's account."""
    commands: list[str | Prepared] = []
    # the mailboxes below come first
    for name in sorted(transcript.words("delete"), reverse=True):
        commands += [f"DELETE {name}", f"UNSUBSCRIBE {name}"]
    commands += [f"CREATE {name}" for name in mailboxes(transcript) if name.upper() != "INBOX"]
    commands += messages(transcript, mail)
    commands += [f"SUBSCRIBE {name}" for name in transcript.words("subscribe")]
    commands += [f"UNSUBSCRIBE {name}" for name in transcript.words("unsubscribe")]
    if commands:
        connection = Connection(await world.connect("imap"), literals=True)
        await connection.response()
        for command in ("LOGIN {} {}".format(*world.login), *commands, "LOGOUT"):
            await _do(connection, command, transcript)
        await connection.rest()


async def perform(transcript: Transcript, world: World, mail: Path, *, compressed: bool = False) -> None:
    """Prepares, plays (*compressed* as in ``Player``), and always closes the world. Raises TranscriptFailed."""
    try:
        await set_stage(transcript, world, mail)
        await Player(transcript, world, mail, compressed=compressed).play()
    finally:
        await world.close()


async def _do(connection: Connection, command: str | Prepared, transcript: Transcript) -> None:
    if isinstance(command, Prepared):
        start = f'APPEND {command.mailbox} {command.flags} "{INTERNALDATE}" {{{len(command.raw)}+}}\r\n'
        failure = await silently(connection, start.encode() + command.raw)
    else:
        failure = await silently(connection, command.encode())
    if failure and b"[ALREADYEXISTS]" not in failure:
        raise MalformedTranscript(f"{transcript.path}: setting the stage, {command!r} was answered by {failure!r}")
