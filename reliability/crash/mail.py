"""The messages that clients send: each is unlike all others, and what is in it is known without reading it."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import dataclass

WORDS = (
    "anchor basket candle dinner engine falcon garden harbor island jacket kitchen lantern marble needle orchard "
    "pillow quarry ribbon saddle tunnel urchin velvet window yogurt zipper Çınar şeker ölçü"
).split()
SENDERS = ("anna", "berta", "carla", "doris")

SIZES = (200, 600, 1500, 3000, 8000)
LARGE_SIZES = (70_000, 270_000, 1_100_000)
LARGE_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Mail:
    """A message."""

    digest: str
    subject: str
    sender: str
    words: frozenset[str]
    """Of its text."""


def digest_of(raw: bytes) -> str:
    """The digest under which the journal knows a message."""
    return hashlib.sha256(raw).hexdigest()[:20]


class Post:
    """Makes messages, and knows them again by their digests."""

    def __init__(self) -> None:
        self._mails: dict[str, Mail] = {}
        self._lock = threading.Lock()
        self._count = 0
        self.octets = 0

    def write(self, chance: random.Random) -> tuple[Mail, bytes]:
        """A new message, and its octets, which end with CRLF."""
        with self._lock:
            self._count += 1
            number = self._count
        subject, sender = chance.choice(WORDS), chance.choice(SENDERS)
        size = chance.choice(LARGE_SIZES if chance.random() < LARGE_SHARE else SIZES)
        words = frozenset(chance.sample(WORDS, 3))
        head = (
            f"From: {sender} <{sender}@example.org>\r\nTo: all@example.org\r\nSubject: {subject} {number}\r\n"
            f"Message-ID: <{number}.{chance.getrandbits(64):x}@example.org>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        )
        lines = [" ".join(sorted(words)), ".", ". a dot", ""]
        # letters that are in none of the words, in lines of changing content so that compression cannot make it small
        filler = chance.randbytes(size // 2).hex().translate(str.maketrans("0123456789abcdef", "BCDFGHJKLMNPQRST"))
        lines += [filler[start : start + 76] for start in range(0, len(filler), 76)]
        raw = (head + "\r\n".join(lines) + "\r\n").encode()
        mail = Mail(digest_of(raw), f"{subject} {number}", sender, words)
        with self._lock:
            self._mails[mail.digest] = mail
            self.octets += len(raw)
        return mail, raw

    def known(self, digest: str) -> Mail | None:
        """The message with that digest."""
        return self._mails.get(digest)
