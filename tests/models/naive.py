"""A simple model of a mailbox, and a client that knows only what it was told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOLD = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?", re.DOTALL)
UID = re.compile(rb"\bUID (\d+)")
FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")

Flags = frozenset[str]


def changed(old: Flags, how: str, flags: Flags) -> Flags:
    """The flags after a STORE (RFC 9051 §6.4.6)."""
    return {"": flags, "+": old | flags, "-": old - flags}[how]


@dataclass
class NaiveMailbox:
    """The true state: UIDs in order, each with its flags."""

    messages: dict[int, Flags] = field(default_factory=dict)
    uidnext: int = 1

    def append(self, flags: Flags) -> None:
        self.messages[self.uidnext] = flags
        self.uidnext += 1

    def change(self, uids: list[int], how: str, flags: Flags) -> None:
        for uid in uids:
            if uid in self.messages:
                self.messages[uid] = changed(self.messages[uid], how, flags)

    def expunge(self, uids: list[int] | None = None) -> None:
        for uid in list(self.messages):
            if "\\Deleted" in self.messages[uid] and (uids is None or uid in uids):
                del self.messages[uid]

    def copy(self, uids: list[int]) -> None:
        for uid in uids:
            if uid in self.messages:
                self.append(self.messages[uid])

    def remove(self, uids: list[int]) -> None:
        for uid in uids:
            self.messages.pop(uid, None)


@dataclass
class Known:
    """What a client knows of one message; None is "not told yet"."""

    uid: int | None = None
    flags: Flags | None = None


class BelievingClient:
    """The client of one session: a list of what it knows for each sequence number."""

    def __init__(self) -> None:
        self.known: list[Known] = []

    def selected(self) -> None:
        """A new mailbox: nothing is known."""
        self.known = []

    def told(self, response: bytes, *, expunges: bool) -> None:
        """Applies an untagged response; fails if it cannot be true."""
        match = TOLD.fullmatch(response)
        if match is None:
            return
        number = int(match[1])
        if match[2] == b"EXISTS":
            # RFC 9051 §7.4.1: EXISTS never shrinks the mailbox; EXPUNGE tells what is gone
            assert number >= len(self.known), response
            self.known += [Known() for _ in range(number - len(self.known))]
            return
        assert 1 <= number <= len(self.known), (response, len(self.known))
        if match[2] == b"EXPUNGE":
            assert expunges, "EXPUNGE while answering FETCH, STORE or SEARCH (RFC 9051 §7.5.1)"
            del self.known[number - 1]
            return
        self._learn(self.known[number - 1], match[3], response)

    def assume(self, uids: list[int], how: str, flags: Flags) -> None:
        """Computes the flags after a silent STORE, if it knows the flags before."""
        for place in self.known:
            if place.uid in uids and (place.flags is not None or not how):
                place.flags = changed(place.flags or frozenset(), how, flags)

    def _learn(self, place: Known, items: bytes, response: bytes) -> None:
        if found := UID.search(items):
            assert place.uid in (None, int(found[1])), (response, place)
            place.uid = int(found[1])
        if found := FLAGS.search(items):
            place.flags = frozenset(found[1].decode().split()) - {"\\Recent"}

    @property
    def uids(self) -> list[int | None]:
        """UID by sequence number, as far as the client was told."""
        return [place.uid for place in self.known]
