"""The preview of a message (RFC 8970): what its reader sees first, as a line of plain text.

New text comes before quoted text, and quoted text before a signature. An attribution, such as "On Monday, Ali wrote:",
counts as quoted. HTML becomes lines of text first, with ">" before those that it quotes, so that one place orders both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from unicodedata import combining, normalize

from mektup.message.markup import opening_text
from mektup.message.scan import Octets, Part
from mektup.message.text import part_text

PREVIEW_CHARACTERS: Final = 200
"""RFC 8970 §3.3: a preview has at most 256 characters, and should have 200."""

_STEPS: Final = (512, 2 * 1024, 32 * 1024)
_HTML_STEPS: Final = (32 * 1024, 256 * 1024)
"""How many octets of a part are read: nearly always the first ones are enough."""

_ENOUGH: Final = 2 * PREVIEW_CHARACTERS
"""Characters of text before it is cleaned."""

_SUBTYPES: Final = frozenset({b"plain", b"html", b"enriched", b"x-amp-html", b"markdown"})
"""Text that is for people. A calendar or a table is not."""

# Characters that show nothing. Senders put hundreds of them between a hidden first line and the text.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffc]+"
)
# Joiners are part of emoji and of Persian words, so they stay between two characters that show something.
_LOOSE_JOINERS: Final = re.compile(r"(?:(?<=\s)|^)[\u200c\u200d\s]+|[\u200c\u200d]+(?=\s|$)")
_TRACKED: Final = re.compile(
    r"<https?://[^<>\s]*>|\[https?://[^\[\]\s]*\]|\(\s?https?://[^()\s]*\s?\)|\[(?:image|cid):[^\[\]\n]*\]"
)
"""Addresses in brackets after a link's text, and marks of images, as programs make them of HTML."""
_RULE: Final = re.compile(r"[\W_]{3,}")
"""A line without letters and digits."""
_SIGNATURE: Final = re.compile(r"--\s?")
_WROTE: Final = re.compile(
    r"(?:wrote|writes|said|yazdı|yazmış|schrieb|a [ée]crit|escribió|ha scritto|escreveu|schreef|skrev|napisał)\s?:"
)
_PGP_SIGNED: Final = "-----BEGIN PGP SIGNED MESSAGE-----"
_PGP_SIGNATURE: Final = "-----BEGIN PGP SIGNATURE-----"
_PGP_ENCRYPTED: Final = "-----BEGIN PGP MESSAGE-----"

_SPECIAL: Final = (">", "-")
"""How quoted lines, signatures and the lines of PGP begin."""

_ATTRIBUTION_LINES: Final = 3


def preview(raw: Octets, parts: Sequence[Part]) -> str:
    """The first PREVIEW_CHARACTERS of the text of a message, in NFC, each run of white space as one space.

    Empty if the message is encrypted, or has no text.
    """
    if parts[0].content_type.essence == b"multipart/encrypted":
        return ""
    for part in _in_order(parts):
        if part.is_text and part.octets and _is_shown(part) and (text := _of_part(raw, part)):
            return text
    return ""


def _in_order(parts: Sequence[Part]) -> Sequence[Part]:
    """*parts*, with plain text first if they are alternatives."""
    if parts[0].content_type.essence != b"multipart/alternative":
        return parts
    return sorted(parts, key=lambda part: part.is_text and part.content_type.subtype.lower() == b"html")


def _is_shown(part: Part) -> bool:
    if part.content_type.subtype.lower() not in _SUBTYPES:
        return False
    return not any(value.strip()[:10].lower() == b"attachment" for value in part.fields.get(b"content-disposition", ()))


def _of_part(raw: Octets, part: Part) -> str:
    text = ""
    is_html = part.content_type.subtype.lower() == b"html"
    for most in _HTML_STEPS if is_html else _STEPS:
        found = part_text(raw, part, most, lambda markup: opening_text(markup, _ENOUGH))
        lines = found.split("\n")
        if part.content_type.param(b"format") is not None and not is_html:
            lines = _unfolded(lines, part)
        new, quoted, signed = _ordered(lines)
        text = _joined(new)
        if len(text) >= PREVIEW_CHARACTERS or part.octets <= most:
            break
    return cut(text if len(text) >= PREVIEW_CHARACTERS else _joined([*new, *quoted, *signed]))


def _unfolded(lines: Sequence[str], part: Part) -> list[str]:
    """The lines of format=flowed, where a line that ends in a space goes on in the next one (RFC 3676 §4)."""
    if (part.content_type.param(b"format") or b"").lower() != b"flowed":
        return list(lines)
    joins_words = (part.content_type.param(b"delsp") or b"").lower() == b"yes"
    flowed: list[str] = []
    goes_on = False
    for line in lines:
        line = line.rstrip("\r").removeprefix(" ")  # a space that was stuffed
        if goes_on and not line.startswith(">"):
            flowed[-1] += line
        else:
            flowed.append(line)
        goes_on = line.endswith(" ") and line != "-- " and not line.startswith(">")
        if goes_on and joins_words:
            flowed[-1] = flowed[-1][:-1]
    return flowed


def _ordered(lines: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The new lines, the quoted ones with the attributions before them, and the signature."""
    new: list[str] = []
    quoted: list[str] = []
    is_pgp_header = False
    for at, line in enumerate(lines):
        line = line.rstrip("\r")
        if not is_pgp_header and line[:1] not in _SPECIAL:
            new.append(line)
        elif line.startswith(_PGP_ENCRYPTED):
            return [], [], []
        elif is_pgp_header or line.startswith(_PGP_SIGNED):
            is_pgp_header = bool(line.strip())
        elif line.startswith(">"):
            if not quoted or lines[at - 1][:1] != ">":
                quoted += _taken_attribution(new)
            quoted.append(line.lstrip("> "))
        elif line.startswith(_PGP_SIGNATURE):
            return new, quoted, []
        elif _SIGNATURE.fullmatch(line) and (new or quoted):
            return new, quoted, list(lines[at + 1 :])
        else:
            new.append(line)
    return new, quoted, []


def _taken_attribution(new: list[str]) -> list[str]:
    """Removes the attribution at the end of *new*, if there is one, and returns its lines."""
    end = len(new)
    while end and not new[end - 1].strip():
        end -= 1
    start = end
    while start and end - start < _ATTRIBUTION_LINES and new[start - 1].strip():
        start -= 1
    # Programs break a long attribution. Its last line tells that it is one; its first line has the date or the address.
    last = new[end - 1].rstrip() if end else ""
    if not last.endswith((":", ": ")):
        return []
    found = " ".join(new[start:end])
    if _WROTE.search(last) is None and not ("@" in found and any(map(str.isdigit, found))):
        return []
    while start < end - 1 and not _begins_attribution(new[start]):
        start += 1
    taken = new[start:end]
    del new[start:]
    return taken


def _begins_attribution(line: str) -> bool:
    return "@" in line or any(map(str.isdigit, line))


def _joined(lines: Sequence[str]) -> str:
    """*lines* as one line, without what shows nothing."""
    pieces: list[str] = []
    length = 0
    for line in _clean(lines):
        pieces.append(line)
        # normalizing may make a text shorter, but not one in ASCII
        length += (len(line) + 1) * (2 if line.isascii() else 1)
        if length > _ENOUGH:
            break
    # a short text only: normalizing takes time quadratic in the length of a run of combining marks
    return normalize("NFC", " ".join(pieces)[: 2 * _ENOUGH])


def _clean(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        line = line[: 4 * _ENOUGH]
        if not (line.isascii() and line.isprintable()):
            line = _LOOSE_JOINERS.sub(" ", _INVISIBLE.sub("", line))
        if "http" in line or "[" in line:
            line = _TRACKED.sub(" ", line)
        line = " ".join(line.split())
        if line and (line[0].isalnum() or not _RULE.fullmatch(line)):
            yield line


def cut(text: str) -> str:
    """The first PREVIEW_CHARACTERS of *text*, without a part of a character that a reader sees as one."""
    end = PREVIEW_CHARACTERS
    if len(text) <= end:
        return text.strip()
    while end and (_continues(text[end]) or text[end - 1] == "\N{ZERO WIDTH JOINER}"):
        end -= 1
    return text[: end or PREVIEW_CHARACTERS].strip()


def _continues(character: str) -> bool:
    return (
        combining(character) != 0
        or character in "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"
        or "\ufe00" <= character <= "\ufe0f"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
