"""What a QRESYNC client remembers of a mailbox, also while it is not connected (RFC 7162 §3.2.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reliability.clients.imap import Answer, Imap
from reliability.journal.operations import Flags, Store

_FETCH = re.compile(rb"\* \d+ FETCH \(UID (\d+)(?: FLAGS \(([^)]*)\))?(?: MODSEQ \((\d+)\))?")
_VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)\r\n")


@dataclass(frozen=True, slots=True)
class FetchLine:
    """What a FETCH line says; None for what it leaves out."""

    uid: int
    flags: Flags | None
    modseq: int | None


def fetch_line(answer: bytes) -> FetchLine | None:
    """The start of a FETCH line; None for any other answer."""
    if (found := _FETCH.match(answer)) is None:
        return None
    flags = None if found[2] is None else flags_of(found[2])
    return FetchLine(int(found[1]), flags, None if found[3] is None else int(found[3]))


def flags_of(words: bytes) -> Flags:
    """Flags without the one that no client can set."""
    return frozenset(words.decode().split()) - {"\\Recent"}


def vanished(answer: bytes) -> list[int]:
    """The UIDs that a VANISHED names."""
    return list(numbers(found[1])) if (found := _VANISHED.match(answer)) else []


def numbers(said: bytes) -> Iterator[int]:
    """The numbers of a set without a star."""
    for run in said.split(b","):
        first, _, last = run.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def listed(uids: Iterable[int]) -> bytes:
    """Numbers as a set."""
    return b",".join(b"%d" % uid for uid in sorted(uids))


@dataclass(slots=True)
class View:
    """What a client knows of a mailbox."""

    validity: int
    modseq: int
    """From which it resynchronises."""
    messages: dict[int, Flags] = field(default_factory=dict)
    _highest: int = 0

    def note(self, answer: Answer, store: Store | None = None) -> None:
        """Takes in an answer that came as a whole, so also its HIGHESTMODSEQ. *store* is what it answers."""
        for line in answer.untagged:
            self.note_line(line, store)
        self.modseq = max(self.modseq, self._highest)
        if modseq := answer.number(b"HIGHESTMODSEQ"):
            self.modseq = self._highest = modseq

    def note_line(self, line: bytes, store: Store | None = None) -> None:
        """Takes in an untagged answer. New messages are left to the command that reads them."""
        if (fetched := fetch_line(line)) is not None:
            if fetched.flags is not None and fetched.uid in self.messages:
                self.messages[fetched.uid] = fetched.flags
            elif store is not None and fetched.uid in store.uids & self.messages.keys():
                # .SILENT: the client knows what it has asked for
                self.messages[fetched.uid] = store.applied_to(self.messages[fetched.uid])
            self._highest = max(self._highest, fetched.modseq or 0)
        for uid in vanished(line):
            self.messages.pop(uid, None)

    def copy(self) -> View:
        """The same, for another client."""
        return View(self.validity, self.modseq, dict(self.messages), self._highest)

    def resynchronise(self, imap: Imap, name: str) -> None:
        """Selects the mailbox, which has *name* now, and takes in what happened meanwhile."""
        known = b" " + listed(self.messages) if self.messages else b""
        answer = imap.must(b'EXAMINE "%b" (QRESYNC (%d %d%b))' % (name.encode(), self.validity, self.modseq, known))
        self.note(answer)
        last = max(self.messages, default=0)
        for line in imap.must(b"UID FETCH %d:* (UID FLAGS)" % (last + 1)).untagged:
            if (fetched := fetch_line(line)) is not None and fetched.uid > last:
                self.messages[fetched.uid] = fetched.flags or frozenset()
        imap.must(b"UNSELECT")
