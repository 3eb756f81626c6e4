"""Which items of a message are compared: as values, so that a quoted string equals a literal with the same octets."""

from __future__ import annotations

from collections.abc import Iterator

from mektup.message.layout import Layout, Path, unpack
from mektup.message.transfer import decode_message
from mektup.store.arrival import prepare
from tests.peer.imap_client import Value, parse

Answers = dict[str, Value]
"""The value of each item, by its name in the answer to FETCH."""


def items(layout: Layout) -> list[str]:
    """The items to fetch of a message with this layout: everything that a server derives from it."""
    asked = ["ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "BODY[]", "BODY[HEADER]", "BODY[TEXT]"]
    for place in layout.parts:
        number = _dotted(place.path)
        asked += [f"BODY[{number}]", f"BODY[{number}.MIME]"]
        if place.body_start is not None:
            asked += [f"BODY[{number}.HEADER]", f"BODY[{number}.TEXT]"]
    return asked


def peeking(item: str) -> str:
    """*item* in the form that does not set \\Seen."""
    return item.replace("BODY[", "BODY.PEEK[")


def prepared(raw: bytes) -> tuple[Layout, Answers]:
    """The values that mektup stores when *raw* arrives, in the form of answers to ``items``."""
    arrival = prepare(raw)
    layout = unpack(arrival.layout)
    answers: Answers = {
        "ENVELOPE": parse(arrival.envelope)[0],
        "BODY": parse(arrival.body)[0],
        "BODYSTRUCTURE": parse(arrival.bodystructure)[0],
        "RFC822.SIZE": str(arrival.size),
    }
    for item in items(layout):
        if item.startswith("BODY["):
            answers[item] = _octets(raw, layout, item)
    return layout, answers


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _octets(raw: bytes, layout: Layout, item: str) -> bytes:
    section = item.removeprefix("BODY[").removesuffix("]")
    numbers = [word for word in section.split(".") if word.isdigit()]
    path = tuple(map(int, numbers))
    words = section.split(".")[len(numbers) :]
    for place in layout.encoded_around(path, inside=words in (["HEADER"], ["TEXT"])):
        raw = decode_message(raw[place.content_start : place.stop], place.encoding)
    start, stop = _span(layout, path, words)
    return raw[start:stop].replace(b"\0", b"\x80")  # RFC 9051 §9: only strings of BINARY may hold a NUL


def _span(layout: Layout, path: Path, words: list[str]) -> tuple[int, int]:
    match words:
        case ["HEADER"] | ["", "HEADER"]:
            span = layout.header(path)
        case ["TEXT"]:
            span = layout.text(path)
        case ["MIME"]:
            span = layout.mime(path)
        case _:
            span = layout.whole(path)
    assert span is not None, f"the layout does not know its own {path} {words}"
    return span


def differences(ours: Answers, theirs: Answers) -> Iterator[tuple[str, Value, Value]]:
    """Item, our value and theirs, of every item that differs; UID and flags are not compared."""
    for item, value in ours.items():
        if item not in ("UID", "FLAGS") and theirs.get(item) != value:
            yield item, value, theirs.get(item)
