"""The header of a message or of a part: its fields, unfolded and decoded, or a selection of them unchanged.

Knows RFC 5322 §2.2 (fields and folding) and RFC 2047 (encoded words), but not the meaning of a field. Every pattern
here is linear: no match can begin inside text that it has already passed.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import islice

from mektup.message.charsets import decode, guess
from mektup.message.transfer import decode_base64
from mektup.terms.limits import DEFAULT_LIMITS

Fields = dict[bytes, list[bytes]]
"""Lower-case names, and values as they are after the colon, still folded, in the order of the header."""

# Begins with a newline, because a search for a first octet is a memchr. So a newline is put before a header.
# RFC 5322 §2.1.1: a line, and so a name, has at most 998 octets.
_FIELD = re.compile(rb"\n([^:\s]{1,998})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
_NAME = re.compile(rb"\n([^:\s]{1,998})[ \t]*:")
_NEXT_LINE = re.compile(rb"\n(?![ \t])")
_LINE_FOLLOWS = re.compile(rb"\n(?=[^ \t])")
_FOLD = re.compile(rb"\n[ \t]+")
# The text may contain "?" and "=", though RFC 2047 §4.2 requires them encoded; but not "?=", which ends the word, nor
# "=?", which begins the next one.
_ENCODED_WORD = re.compile(rb"=\?([^?\s]+)\?([bBqQ])\?([^?=]*(?:(?:=(?!\?(?!=))|\?(?!=))[^?=]*)*)\?=")
_GOES_ON_BELOW = rb"[^\n]*(?:\n[ \t][^\n]*)*"
# The start of a line that continues no field and is not the empty line. A continuation line at the start of a header
# counts as such a line, so that a selection and its opposite together are the whole header.
_OWN_LINE = rb"(?:[^\r\n \t]|\r(?!\n)|(?<=\A\n)[ \t])"
_LINE = re.compile(rb"\n(%b%b)" % (_OWN_LINE, _GOES_ON_BELOW))
# Patterns of names that clients choose are cached only if they are small.
_CACHED_NAME_BYTES = 100
_PATTERN_BYTES = 1000
_FOUND_AT_ONCE = 64 * 1024
"""Fields of a longer header are found one by one, because finding all at once holds Python's lock."""
_NUL = b"\0"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def index_fields(
    header: bytes,
    most: int = DEFAULT_LIMITS.header_field_bytes,
    most_fields: int = DEFAULT_LIMITS.header_fields,
) -> Fields:
    """The first *most_fields* fields of *header* by name; at most *most* octets of each value.

    Lines that are no field (no colon, a space in the name) are skipped.
    A NUL, which no IMAP string can contain, becomes U+FFFD (RFC 9051 §9, CHAR8).
    """
    fields: Fields = {}
    for name, value in all_fields(header, most_fields):
        name = name.lower()
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if len(header) > most:
        return {name: [value[:most] for value in values] for name, values in fields.items()}
    return fields


def all_fields(header: bytes, most: int = DEFAULT_LIMITS.header_fields) -> list[tuple[bytes, bytes]]:
    """Name and value of every field, unchanged, in the order of the header; lines that are no field are skipped.

    *most*: how many fields are returned at most.
    """
    octets = b"\n" + _without_nul(header)
    if len(octets) <= _FOUND_AT_ONCE:
        found: list[tuple[bytes, bytes]] = _FIELD.findall(octets)
        return found if len(found) <= most else found[:most]
    return list(islice(_in_pieces(octets), most))


def _in_pieces(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All fields, found in pieces; a very long one is cut out without a search in it."""
    start, size = 0, len(octets)
    while start < size:
        stop = _next_line(octets, start + _FOUND_AT_ONCE)
        last = stop
        if stop - start > 2 * _FOUND_AT_ONCE:
            # One octet more, because a pattern does not see what follows the last octet that it is given.
            lines = _LINE_FOLLOWS.finditer(octets, start, start + _FOUND_AT_ONCE + 1)
            last = max((line.start() for line in lines), default=start)
        for found in _FIELD.finditer(octets, start, last):
            yield found[1], found[2]
        if last < stop and (name := _NAME.match(octets, last)):
            yield name[1], octets[name.end() : stop]
        start = stop


def _next_line(octets: bytes, start: int) -> int:
    """The position of the LF before the first line at or after *start* that continues no field."""
    size = len(octets)
    while start < size:
        found = _NEXT_LINE.search(octets, start, start + _FOUND_AT_ONCE)
        if found is None:
            start += _FOUND_AT_ONCE
        elif octets[found.end() : found.end() + 1] in (b" ", b"\t"):
            start = found.end()  # only the end of the search, not of a field
        else:
            return found.start()
    return size


def _without_nul(header: bytes) -> bytes:
    return header.replace(_NUL, _REPLACEMENT) if _NUL in header else header


def unfold(value: bytes) -> bytes:
    """*value* on one line, without white space at its ends (RFC 5322 §2.2.3); white space within it stays.

    For values with a grammar; ``words`` is for text that people read.
    """
    return value.translate(None, b"\r\n").strip(b" \t")


def single_spaced(value: bytes) -> bytes:
    """An unfolded *value* for people to read: each run of white space, such as a fold leaves, is one space."""
    value = value.replace(b"\t", b" ")
    while b"  " in value:  # halves each run; a pattern would look at each octet
        value = value.replace(b"  ", b" ")
    return value


def words(value: bytes) -> bytes:
    """The unstructured text of a field, folded or not, for people to read."""
    return single_spaced(unfold(value))


def decode_words(octets: bytes) -> str:
    """The text of an unfolded value: decodes encoded words, B and Q (RFC 2047 §4), and 8-bit octets.

    Accepts forms that real mail has, as RFC 2047 §6.3 asks: encoded words inside of other words and of quotes, spaces
    in them, characters split between two of them, unknown charsets.
    """
    if b"=?" not in octets:
        return octets.decode("ascii") if octets.isascii() else guess(octets)
    pieces: list[str] = []
    pending = b""
    pending_charset = b""
    position = 0
    for word in _ENCODED_WORD.finditer(octets):
        charset, encoding, encoded = word.groups()
        charset = charset.partition(b"*")[0].lower()  # RFC 2231 §5: a language may follow
        between = octets[position : word.start()]
        position = word.end()
        # RFC 2047 §6.2: white space between encoded words is not shown.
        adjacent = bool(pending_charset) and not between.strip()
        if not (adjacent and charset == pending_charset):
            if pending_charset:
                pieces.append(decode(pending, pending_charset))
            if not adjacent:
                pieces.append(guess(between))
            pending = b""
            pending_charset = charset
        pending += decode_base64(encoded) if encoding in b"bB" else a2b_qp(encoded, header=True)
    if pending_charset:
        pieces.append(decode(pending, pending_charset))
    pieces.append(guess(octets[position:]))
    return "".join(pieces)


def field_text(value: bytes) -> str:
    """A field's value, folded or not, as text: decoded, on one line."""
    text = decode_words(words(value))
    return _on_one_line(text) if "\n" in text or "\r" in text else text


def _on_one_line(text: str) -> str:
    """An encoded line break (``=0A``) becomes a space."""
    return text.replace("\r", " ").replace("\n", " ")


def header_text(header: bytes) -> str:
    """A whole header as text, one field a line; values as in ``field_text``, except that runs of white space stay."""
    header = _without_folds(_without_nul(header).replace(b"\r", b""))
    if b"=?" not in header and header.isascii():
        return header.decode("ascii")
    # Each line may have its own charset; most are ASCII.
    return "\n".join(
        [
            line.decode("ascii") if line.isascii() and b"=?" not in line else field_text(line)
            for line in header.split(b"\n")
        ]
    )


def _without_folds(header: bytes) -> bytes:
    """*header* with a space for each fold. A long header is handled in pieces that each begin with a line."""
    if len(header) <= _FOUND_AT_ONCE:
        return _FOLD.sub(b" ", header)
    pieces: list[bytes] = []
    start = 0
    while start >= 0:
        stop = header.find(b"\n", start + _FOUND_AT_ONCE)
        pieces.append(_FOLD.sub(b" ", header[start : stop if stop >= 0 else None]))
        start = stop
    return b"".join(pieces)


@lru_cache(maxsize=256)
def _one_field(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\n%b[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)" % re.escape(name), re.IGNORECASE)


def field_values(header: bytes, name: bytes) -> list[bytes]:
    """The values of all fields of that name, in any case of letters; still folded."""
    if len(name) > _CACHED_NAME_BYTES:
        return index_fields(header).get(name.lower(), [])
    return _one_field(name.lower()).findall(b"\n" + _without_nul(header))


@lru_cache(maxsize=64)
def _selection(names: frozenset[bytes], exclude: bool) -> re.Pattern[bytes]:
    """Matches a newline, then the lines of a named field, continuations included; or those of any other field."""
    named = rb"(?:%b)[ \t]*:" % b"|".join(re.escape(name) for name in sorted(names)) if names else rb"(?!)"
    start = rb"(?!%b)%b" % (named, _OWN_LINE) if exclude else named
    return re.compile(rb"\n(%b%b)" % (start, _GOES_ON_BELOW), re.IGNORECASE)


def _find_lines(names: frozenset[bytes], exclude: bool, header: bytes) -> list[bytes]:
    """The lines that ``_selection`` finds, for so many names that a pattern of them is not worth compiling."""
    lowered = {name.lower() for name in names}

    def is_named(line: bytes) -> bool:
        name, colon, _ = line.partition(b":")
        return bool(colon) and name.rstrip(b" \t").lower() in lowered

    return [line for line in _LINE.findall(header) if is_named(line) is not exclude]


def _finder(names: frozenset[bytes], exclude: bool) -> Callable[[bytes], list[bytes]]:
    small = sum(map(len, names)) < _PATTERN_BYTES
    return _selection(names, exclude).findall if small else partial(_find_lines, names, exclude)


def selector(names: frozenset[bytes], exclude: bool) -> Callable[[bytes], bytes]:
    """``select_fields`` with these arguments, as a function of the header; for many headers."""
    find = _finder(names, exclude)

    def select(header: bytes) -> bytes:
        lines = find(b"\n" + header)
        empty_line = b"\r\n" if header.endswith(b"\r\n\r\n") or header == b"\r\n" else b""
        if not lines:
            return empty_line
        # Only the last line of a header without an empty line may lack its line break.
        is_cut = not header.endswith(b"\n") and (b"\n" + header).endswith(b"\n" + lines[-1])
        return b"\n".join(lines) + (b"" if is_cut else b"\n" + empty_line)

    return select


def select_fields(header: bytes, names: frozenset[bytes], exclude: bool) -> bytes:
    """``HEADER.FIELDS`` of *header*, or with *exclude* ``HEADER.FIELDS.NOT`` (RFC 9051 §6.4.5.1).

    The fields' octets unchanged, in their order, then the empty line that ends *header*, "except in the case of a
    message that has no body and no blank line". *names* in any case of letters.
    """
    return selector(names, exclude)(header)


_GOES_ON = re.compile(rb"(?:[ \t][^\n]*(?:\n|\Z))*")
_TO_LAST_FIELD = re.compile(rb"(?s:.*)\n(?=[^ \t])")


class FieldChooser:
    """Does the same as ``select_fields``, for a header that is read in pieces because it is large."""

    __slots__ = ("_find", "_held", "_is_chosen", "_tail")

    def __init__(self, names: frozenset[bytes], exclude: bool) -> None:
        self._find = _finder(names, exclude)
        self._held = b""
        """The beginning of an incomplete line."""
        self._is_chosen = exclude
        """Whether the field is chosen that the next line may continue."""
        self._tail = b"\r\n"
        """The last octets so far; at first a line break, because a header begins a line."""

    def take(self, octets: bytes) -> bytes:
        """Takes the next octets; returns the chosen ones of the lines that are complete now."""
        self._tail = (self._tail + octets)[-4:]
        held = self._held + octets
        stop = held.rfind(b"\n") + 1
        self._held = held[stop:]
        return self._chosen(held[:stop])

    def finish(self) -> bytes:
        """The rest, and the empty line if there is one."""
        chosen = self._chosen(self._held).removesuffix(b"\n") if self._held else b""
        return chosen + (b"\r\n" if self._tail == b"\r\n\r\n" else b"")

    def _chosen(self, lines: bytes) -> bytes:
        going_on = _GOES_ON.match(lines)
        assert going_on is not None
        chosen = going_on[0] if self._is_chosen else b""
        fields = lines[going_on.end() :]
        if fields:
            found = self._find(b"\n" + fields)
            chosen += b"".join([field + b"\n" for field in found])
            last = _TO_LAST_FIELD.match(fields)
            self._is_chosen = bool(self._find(b"\n" + fields[last.end() if last else 0 :]))
        return chosen
