"""Generates the mail that both servers get: shapes and sizes as in real mail, and the same messages every time.

Words come from an invented language with the word frequencies of a real one, so that a search for a common word finds
many messages and a search for a rare one finds few. On average a message has 5,400 octets. Each has flags and an
internal date, because in real mailboxes most messages have been read.
"""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

SYLLABLES = "ka lo mi ren ta su vo bel dra fin gor hul is jen kol mar nos pel qui ras tem ul ver wen yor zim".split()
SEED = 20260305
PEOPLE = 400
RARE_WORDS = ("xylophonist", "marzipan", "quicksand", "thunderbolt", "woodpecker")
"""Each is in every five-hundredth message, and no two are in the same one."""

BEGINNING = 1_767_225_600
"""The internal date of the first message, in seconds since 1970; each next message is a minute later."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message, with its flags and internal date."""

    raw: bytes
    """Lines end in CRLF."""
    flags: tuple[str, ...]
    internaldate: int
    """Seconds since 1970 UTC."""

    @property
    def arguments(self) -> bytes:
        """The arguments of APPEND after the mailbox, with a non-synchronizing literal (RFC 7888)."""
        date = time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(self.internaldate))
        return f'({" ".join(self.flags)}) "{date}" {{{len(self.raw)}+}}\r\n'.encode() + self.raw


def generate(count: int) -> Iterator[Mail]:
    """The first *count* messages, with a third of them unread and a few answered, flagged or deleted."""
    chance = random.Random(SEED + 1)
    for number, raw in enumerate(Generator().messages(count)):
        flags = [flag for flag, share in FLAGS if chance.random() < share]
        yield Mail(raw, tuple(flags), BEGINNING + number * 60)


FLAGS = (("\\Seen", 0.67), ("\\Answered", 0.2), ("\\Flagged", 0.05), ("\\Deleted", 0.02), ("$Forwarded", 0.03))
"""The share of messages that has each flag."""


class Generator:
    """Makes messages one after the other; every generator makes the same ones."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self._words = self._vocabulary(4000)
        # Zipf: the nth word is n times rarer than the first.
        self._weights = list(accumulate(1 / (rank + 2) for rank in range(len(self._words))))
        self._people = [self._person() for _ in range(PEOPLE)]
        self._subjects: list[tuple[str, str]] = []

    @property
    def vocabulary(self) -> Sequence[str]:
        """All words of the language, the most frequent first."""
        return self._words

    def messages(self, count: int) -> Iterator[bytes]:
        """*count* messages, with lines that end in CRLF."""
        for number in range(count):
            yield self._message(number).replace("\n", "\r\n").encode("utf-8")

    def _vocabulary(self, count: int) -> list[str]:
        words: dict[str, None] = {}
        while len(words) < count:
            words["".join(self._random.choices(SYLLABLES, k=self._random.randint(1, 4)))] = None
        return list(words)

    def _person(self) -> tuple[str, str]:
        first, last = self._random.choices(self._words[200:], k=2)
        name = f"{first.title()} {last.title()}"
        if self._random.random() < 0.2:
            # A name in another script, as an encoded word (RFC 2047).
            encoded = base64.b64encode(f"{first.title()} Şükrü Öztürk".encode()).decode()
            name = f"=?utf-8?b?{encoded}?="
        return name, f"{first}.{last}@{self._random.choice(self._words[:50])}.example"

    def _text(self, octets: int) -> str:
        lines, line, total = [], "", 0
        for word in self._random.choices(self._words, cum_weights=self._weights, k=octets // 5 + 1):
            if len(line) + len(word) > 71:
                lines.append(line)
                total += len(line) + 2
                line = ""
                if total >= octets:
                    break
            line = f"{line} {word}" if line else word
        return "\n".join([*lines, line, ""])

    def _message(self, number: int) -> str:
        chance = self._random
        octets = min(int(chance.lognormvariate(7.22, 0.9)), 30_000)
        text = self._text(octets)
        if number % 100 == 50:
            text += f"And the {RARE_WORDS[number // 100 % 5]} was heard.\n"
        kind = chance.random()
        header = self._header(number)
        if kind < 0.55:
            return f"{header}Content-Type: text/plain; charset=us-ascii\n\n{text}"
        boundary = f"=_part_{chance.getrandbits(64):016x}"
        if kind < 0.85:
            return header + self._alternative(boundary, text)
        return header + self._mixed(boundary, text)

    def _alternative(self, boundary: str, text: str) -> str:
        html = "\n".join(f"<p>{line}</p>" for line in text.splitlines())
        return (
            f'Content-Type: multipart/alternative;\n\tboundary="{boundary}"\n\nThis is a message in parts.\n'
            f"--{boundary}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}çok iyi\n"
            f"--{boundary}\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
            f"<html><body>\n{html}\n</body></html>\n--{boundary}--\n"
        )

    def _mixed(self, boundary: str, text: str) -> str:
        size = min(int(self._random.lognormvariate(8.6, 0.8)), 60_000)
        name = f"{self._random.choice(self._words)}.bin"
        content = base64.encodebytes(self._random.randbytes(size)).decode("ascii")
        return (
            f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n'
            f"--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n{text}"
            f'--{boundary}\nContent-Type: application/octet-stream; name="{name}"\n'
            f'Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="{name}"\n\n'
            f"{content}--{boundary}--\n"
        )

    def _header(self, number: int) -> str:
        chance = self._random
        sender, receiver = chance.choice(self._people), chance.choice(self._people)
        copies = chance.choices(self._people, k=chance.choice((0, 0, 0, 1, 3)))
        message_id = f"<{number}.{chance.getrandbits(48):012x}@{sender[1].partition('@')[2]}>"
        subject, thread = " ".join(chance.choices(self._words, k=chance.randint(2, 7))), ""
        if self._subjects and chance.random() < 0.45:
            old, parent = chance.choice(self._subjects[-200:])
            subject, thread = f"Re: {old}", f"In-Reply-To: {parent}\nReferences: {parent}\n"
        else:
            self._subjects.append((subject, message_id))
        day = 1 + number * 28 // 60_000 % 28
        minute = f"{number % 60:02}"
        relays = "".join(
            f"Received: from relay{hop}.example ([192.0.2.{chance.randint(1, 254)}])\n"
            f"\tby mx{hop}.example with ESMTPS id {chance.getrandbits(40):010x}\n"
            f"\tfor <linda@example.org>; Tue, {day} Sep 2026 08:{minute}:00 +0000\n"
            for hop in range(chance.randint(1, 4))
        )
        copied = f"Cc: {', '.join(f'{name} <{address}>' for name, address in copies)}\n" if copies else ""
        return (
            f"Return-Path: <{sender[1]}>\n{relays}"
            f"From: {sender[0]} <{sender[1]}>\nTo: {receiver[0]} <{receiver[1]}>\n{copied}Subject: {subject}\n"
            f"Date: Tue, {day} Sep 2026 08:{minute}:{number // 60 % 60:02} +0000\nMessage-ID: {message_id}\n"
            f"{thread}User-Agent: Pigeon/{chance.randint(1, 9)}.{chance.randint(0, 20)}\nMIME-Version: 1.0\n"
        )
