"""Parses the text of a ``.txt`` transcript into a value, which any runner can play.

The format in short (docs/architecture.md has the details)::

    RFC 9051 §6.3.13: what this shows
    mailbox: INBOX 3 messages
    needs: IDLE

    phone C: p1 IDLE
    phone S: + $...

``C:`` sends a line and ``S:`` expects exactly the next response; the word before it names the connection. ``C<:``
sends without CRLF. A line that ends in ``{}`` (``{+}``, ``~{}``) has a literal: its octets are the ``|`` lines below,
with CRLF between them (``|<`` joins without one). A ``>`` line after them continues the line. ``\\xNN`` is one octet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEADS = frozenset(
    "mailbox account needs config order witness protocol state enable delete subscribe unsubscribe tls".split()
)
"""The keys of heads."""

ACTS = frozenset("deliver clock restart tls compress close stop".split())
"""The first words of ``!`` lines: events outside the connection."""

_STEP = re.compile(r"(?:(?P<name>[a-z][a-z0-9]*) )?(?P<kind>C<:|C:|S:|!)(?: (?P<text>.*)|$)")
_HEAD = re.compile(r"(?P<key>[a-z]+): *(?P<value>.*)")
_LITERAL = re.compile(r"\{(?P<plus>\+?)\}$")
_ODD_OCTET = re.compile(rb"\\x([0-9A-Fa-f]{2})")


class MalformedTranscript(Exception):
    """The file is wrong, not the server."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, and the literal that follows it, if any."""

    text: bytes
    """The text, without the announcement of the literal and without CRLF."""
    literal: bytes | None = None
    waits: bool = True
    """Whether the literal is synchronizing: its octets wait for the server's ``+``."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step, with the line on which it starts, counted from 1."""

    line: int
    connection: str


@dataclass(frozen=True, slots=True)
class Send(Step):
    """``C:``"""

    pieces: tuple[Piece, ...]
    ends_line: bool


@dataclass(frozen=True, slots=True)
class Expect(Step):
    """``S:``"""

    pieces: tuple[Piece, ...]

    @property
    def is_untagged(self) -> bool:
        return self.pieces[0].text.startswith(b"* ")


@dataclass(frozen=True, slots=True)
class SkipTo(Step):
    """``S: ...``: skips responses until the next expected one of this connection."""


@dataclass(frozen=True, slots=True)
class ExpectClosed(Step):
    """``S: (closed)``"""


@dataclass(frozen=True, slots=True)
class Act(Step):
    """``!``"""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A parsed transcript."""

    title: str
    heads: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    lines: tuple[str, ...]
    """The file's text, to show where a run failed."""
    path: Path | None = field(default=None, compare=False)

    def all(self, key: str) -> Iterator[str]:
        """Every value of a head that may be repeated."""
        return (value for name, value in self.heads if name == key)

    def head(self, key: str, default: str = "") -> str:
        """The value of a head that may not be repeated."""
        return next(self.all(key), default)

    def words(self, key: str) -> list[str]:
        """The words of all values of a head."""
        return [word for value in self.all(key) for word in value.split()]

    @property
    def acts(self) -> frozenset[str]:
        """The first words of its ``!`` lines."""
        return frozenset(step.words[0] for step in self.steps if isinstance(step, Act))


def read(path: Path) -> Transcript:
    """The transcript in *path*. Raises MalformedTranscript with the line that is wrong."""
    return parse(path.read_text(encoding="utf-8"), path)


def parse(text: str, path: Path | None = None) -> Transcript:
    """Parses *text*. Raises MalformedTranscript."""
    lines = tuple(text.rstrip("\n").split("\n"))
    heads: list[tuple[str, str]] = []
    number = 1
    while number < len(lines) and lines[number].strip():
        if not lines[number].startswith("#"):
            match = _HEAD.fullmatch(lines[number])
            if match is None or match["key"] not in HEADS:
                raise MalformedTranscript(f"{path}:{number + 1}: not a head: {lines[number]}")
            heads.append((match["key"], match["value"].strip()))
        number += 1
    steps = tuple(_steps(lines, number, path))
    return Transcript(lines[0], tuple(heads), steps, lines, path)


def _steps(lines: tuple[str, ...], number: int, path: Path | None) -> Iterator[Step]:
    while number < len(lines):
        line = lines[number]
        if not line.strip() or line.startswith("#"):
            number += 1
            continue
        match = _STEP.fullmatch(line)
        if match is None:
            raise MalformedTranscript(f"{path}:{number + 1}: neither C:, S: nor !: {line}")
        below = number + 1
        while below < len(lines) and lines[below].lstrip()[:1] in ("|", ">") and lines[below].startswith(" "):
            below += 1
        where = f"{path}:{number + 1}"
        name, text = match["name"] or "", match["text"] or ""
        yield _step(match["kind"], number + 1, name, text, [part.lstrip() for part in lines[number + 1 : below]], where)
        number = below


def _step(kind: str, line: int, name: str, text: str, below: list[str], where: str) -> Step:
    if kind == "!":
        words = tuple(text.split())
        if not words or words[0] not in ACTS:
            raise MalformedTranscript(f"{where}: nothing that can be done: {text}")
        return Act(line, name, words)
    if kind == "S:" and text == "...":
        return SkipTo(line, name)
    if kind == "S:" and text == "(closed)":
        return ExpectClosed(line, name)
    pieces = tuple(_pieces(text, below, where))
    return Expect(line, name, pieces) if kind == "S:" else Send(line, name, pieces, kind == "C:")


def _pieces(text: str, below: list[str], where: str) -> Iterator[Piece]:
    while True:
        match = _LITERAL.search(text)
        if match is None:
            if below:
                raise MalformedTranscript(f"{where}: octets below a line that does not end in {{}}")
            yield Piece(_octets(text))
            return
        octets = b""
        for count, line in enumerate(_take_octet_lines(below, where)):
            joined = line.startswith("|<")
            octets += (b"\r\n" if count and not joined else b"") + _octets(line[2 if joined else 1 :])
        yield Piece(_octets(text[: match.start()]), octets, not match["plus"])
        text = below.pop(0)[1:] if below else ""


def _take_octet_lines(below: list[str], where: str) -> Iterator[str]:
    if not below or not below[0].startswith("|"):
        raise MalformedTranscript(f"{where}: no octets for the literal")
    while below and below[0].startswith("|"):
        yield below.pop(0)


def _octets(text: str) -> bytes:
    return _ODD_OCTET.sub(lambda match: bytes([int(match[1], 16)]), text.encode())
