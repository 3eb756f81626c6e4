"""IMAP from the client: the receiver, and the grammar of each command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from mektup.imap.patterns import Pattern
from mektup.terms.errors import ClientError, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.sets import NumberSet, SequenceSet
from mektup.wire import mailbox_names, strings
from mektup.wire.arguments import sequence_set
from mektup.wire.commands import COMMANDS, parse, parse_append_start, tag_of, uses_sequence_numbers
from mektup.wire.cursor import CommandCursor
from mektup.wire.receiver import CommandFault, Event, LiteralOffered, RawCommand, Receiver
from mektup.wire.requests import AppendStart, Request
from reliability.fuzz import corpus
from reliability.fuzz.target import Frame, Target, pieces, require, same
from tests.wire.driving import LIMITS as SMALL

WORDS = (
    *COMMANDS,
    *b"""( ) [ ] <0.1> " \\ \\Seen $ * 1:* 1,2 0 , : { } {1} {1+} ~{1} {0+} NIL INBOX &AOk- & % = BODY BODY[ BODY.PEEK[
    HEADER.FIELDS HEADER.FIELDS.NOT MIME . TEXT RETURN STATUS OR NOT FROM SINCE BEFORE ON 1-Feb-2024 CHARSET UTF-8
    MODSEQ UID FLAGS +FLAGS -FLAGS .SILENT USE CHANGEDSINCE UNCHANGEDSINCE VANISHED QRESYNC CONDSTORE SAVE MIN MAX
    ALL COUNT PARTIAL SUBSCRIBED RECURSIVEMATCH REMOTE CHILDREN SPECIAL-USE MESSAGES UNSEEN SIZE BINARY[
    BINARY.SIZE[ BINARY.PEEK[ ENVELOPE BODYSTRUCTURE INTERNALDATE SAVEDATE SAVEDSINCE RFC822.SIZE RFC822 PREVIEW
    EMAILID REVERSE SUBJECT ARRIVAL UIDONLY
    REFERENCES ORDEREDSUBJECT KEYWORD HEADER LARGER SMALLER OLDER YOUNGER 99999999999999999999999 4294967296
    DEFLATE PLAIN""".split(),
    b" ",
    b"\r\n",
    b'"17-Jul-1996 02:44:25 -0700"',
    b"a1 ",
    b'""',
    b'"\\"',
    b"\xc3\xa9",
    b"UID SEARCH ",
    b"UID FETCH ",
)

FRAMES: tuple[Frame, ...] = (
    (b"", b"\r\n"),
    *((b"a1 " + word + b" ", b"\r\n") for word in COMMANDS),
    *(
        (b"a1 " + word, b"\r\n")
        for word in (
            b"FETCH 1 (",
            b"FETCH 1 BODY[",
            b"FETCH 1 BODY[HEADER.FIELDS (",
            b"STORE 1 FLAGS (",
            b"SEARCH (",
            b"SEARCH NOT ",
            b'LIST "" (',
            b"LIST (",
            b"SELECT x (QRESYNC (1 1 ",
            b"STATUS x (",
            b'LOGIN x "',
            b"SEARCH TEXT ",
            b"UID FETCH ",
            b"SEARCH OR ",
            b"SORT (",
            b"APPEND x (",
            b"UID STORE 1:",
        )
    ),
)


class Sink:
    """Takes the octets of a message."""

    def __init__(self, size: int) -> None:
        self.size, self.octets = size, bytearray()

    def write(self, octets: bytes | memoryview) -> None:
        """Takes some."""
        self.octets += octets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sink) and (self.size, self.octets) == (other.size, other.octets)

    def __repr__(self) -> str:
        return f"Sink({self.size})"


def events(octets: Iterable[bytes], limits: Limits) -> list[Event]:
    """What a receiver makes of a stream. Faults in a row are one: a long line that comes in pieces may have two."""
    receiver = Receiver(limits)
    receiver.logged_in()
    found: list[Event] = []
    start: AppendStart | None = None
    for piece in octets:
        receiver.feed(piece)
        while (event := receiver.next_event()) is not None:
            if isinstance(event, CommandFault) and found and isinstance(found[-1], CommandFault):
                found[-1] = replace(found[-1], fatal=event.fatal or found[-1].fatal)
            else:
                found.append(event)
            if isinstance(event, LiteralOffered):
                start = _answer(receiver, event, limits, start)
            else:
                start = None
    return found


def _answer(
    receiver: Receiver, offer: LiteralOffered, limits: Limits, before: AppendStart | None
) -> AppendStart | None:
    """Answers *offer*; *before* is what this returned for the literal before in the same command."""
    try:
        start = parse_append_start(offer.command, utf8=False, limits=DEFAULT_LIMITS, before=before)
    except (ClientError, Refused):
        receiver.refuse()
        return None
    if (start is None or not start.is_message) and offer.size <= limits.literal_bytes:
        receiver.accept()
    elif offer.size <= limits.message_bytes:
        receiver.accept_into(Sink(offer.size))
    else:
        receiver.refuse()
        return None
    return start


def stream(octets: bytes) -> None:
    """The same commands however the octets arrive, and each is parsed or refused with a readable text."""
    whole = events([octets], DEFAULT_LIMITS)
    if len(octets) < 10_000:
        same(events(pieces(octets), DEFAULT_LIMITS), whole, "in pieces there are other commands")
        same(events(pieces(octets), SMALL), events([octets], SMALL), "in pieces and with low limits, other commands")
    for event in whole:
        if isinstance(event, RawCommand):
            for utf8 in (False, True):
                _parse(event, utf8=utf8)
            uses_sequence_numbers(event.fragments[0])


def _parse(command: RawCommand, *, utf8: bool) -> None:
    started = time.process_time()
    try:
        request = parse(command, utf8=utf8, limits=DEFAULT_LIMITS)
    except ClientError as error:
        text = str(error)
        require(text.isascii() and text.isprintable(), f"a text for the client is not printable: {text!r}")
        size = sum(map(len, command.fragments)) + sum(len(each) for each in command.literals if isinstance(each, bytes))
        require(error.column is not None and 1 <= error.column <= size + 1, f"column {error.column} of {size}")
    except Refused as refusal:
        require(str(refusal).isprintable(), "a text for the client is not printable")
    else:
        require(isinstance(request, Request), "not a request")
        same(request.tag, tag_of(command), "tag")
    require(time.process_time() - started < 1.0, "a command takes over a second")


def names(octets: bytes) -> None:
    """A name from the wire goes back to the wire as an astring that gives the same name."""
    for utf8 in (False, True):
        try:
            name = mailbox_names.decode(octets, utf8=utf8)
        except ClientError:
            continue
        shown = mailbox_names.encode(name, utf8=utf8)
        same(mailbox_names.decode(_astring(shown, utf8=utf8), utf8=utf8), name, "a name changes on its way")
        require(mailbox_names.to_modified_utf7(name).isascii(), "modified UTF-7 is not ASCII")


def _astring(octets: bytes, *, utf8: bool) -> bytes:
    fragments, literals = (octets,), ()
    if octets.endswith(b"\0"):
        require(False, "NUL in a name")
    if octets.startswith(b"{"):
        size, _, content = octets.partition(b"}\r\n")
        same(int(size[1:]), len(content), "the size of a literal")
        return content
    cursor = CommandCursor(fragments, literals, utf8=utf8, limits=DEFAULT_LIMITS)
    found = cursor.astring("a name")
    require(cursor.at_end, "more than an astring")
    return found


def sets(octets: bytes) -> None:
    """A sequence set gives the same numbers when it is written and read again."""
    cursor = CommandCursor((octets,), (), utf8=False, limits=DEFAULT_LIMITS)
    try:
        found = sequence_set(cursor)
    except (ClientError, Refused):
        return
    for largest in (0, 1, 7, 2**32 - 1):
        numbers = found.resolve(largest)
        _check_numbers(numbers)
        if numbers:
            again = sequence_set(CommandCursor((bytes(numbers),), (), utf8=False, limits=DEFAULT_LIMITS))
            require(isinstance(again, SequenceSet), "no sequence set")
            same(again.resolve(0), numbers, "a set changes when it is written")


def _check_numbers(numbers: NumberSet[int]) -> None:
    before = 0
    for first, last in numbers.runs:
        require(first > before + (before > 0) and last >= first, f"runs touch or are not in order: {numbers.runs!r}")
        before = last
    if numbers and len(numbers) < 3000:
        require(list(numbers) == sorted(set(numbers)), "numbers are not ascending")
        same(strings.spelled_out(numbers).split(), [b"%d" % number for number in numbers], "spelled out")
        same(numbers.nth(len(numbers)), numbers.last, "the last number")
        same(numbers.positions(numbers), NumberSet.span(1, len(numbers)), "positions")


def patterns(octets: bytes) -> None:
    """A pattern matches what a naive matcher says that it matches."""
    reference, *asked = octets.decode("latin-1").split("\n")[:8]
    name = asked.pop() if asked else ""
    found = Pattern(reference[:40], [each[:40] for each in asked] or ["*"])
    found.matches(name)
    if len(octets) < 200:
        for each in asked:
            whole = each[1:] if each.startswith("/") else reference + each
            if not whole.upper().startswith("INBOX"):
                same(Pattern(reference, [each]).matches(name), _naively(whole, name), f"{whole!r} and {name!r}")


def _naively(pattern: str, name: str) -> bool:
    """Whether *pattern* matches *name*, by a table of all beginnings of both."""
    met = [True] + [False] * len(name)
    for letter in pattern:
        after = [met[0] and letter in "*%"]
        for at, each in enumerate(name, 1):
            if letter == "*" or (letter == "%" and each != "/"):
                after.append(met[at] or after[at - 1])
            else:
                after.append(met[at] if letter == "%" else met[at - 1] and each == letter)
        met = after
    return met[-1]


def _after(*begins: bytes) -> Callable[[bytes], None]:
    """Parses each of *begins* with the octets after it, which may hold literals."""

    def parsed(octets: bytes) -> None:
        for begin in begins:
            line, *rest = (begin + octets).split(b"{}")
            _parse(RawCommand((line, *rest), tuple(b"x\xc3\xa9" for _ in rest)), utf8=bool(len(octets) & 1))

    return parsed


def _arguments(*begins: bytes) -> Callable[[], Iterator[bytes]]:
    """The arguments of these commands in the transcripts."""

    def found() -> Iterator[bytes]:
        for line in corpus.lines("imap"):
            _, _, command = line.partition(b" ")
            for begin in begins:
                if command.upper().startswith(begin):
                    yield command[len(begin) :]

    return found


def _streams() -> Iterator[bytes]:
    yield from corpus.sent("imap")
    yield from (line + b"\r\n" for line in corpus.lines("imap"))


def _names() -> Iterator[bytes]:
    yield from (
        b"INBOX",
        b"inbox/a",
        b"&AOk-",
        b"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
        b"a&-b",
        b"&Jjo-!",
        b"&U,BTFw-&ZeVnLIqe-",
    )
    yield from (
        b"\xc3\xa9",
        b"e\xcc\x81",
        b"",
        b"/",
        b"a//b",
        b"&2D3eAA-",
        b"&ACY-",
        b"&AAA-",
        b"&AOk",
        b"\xff",
        b"\xc4\xb0",
    )


def _sets() -> Iterator[bytes]:
    yield from (
        b"1",
        b"*",
        b"1:*",
        b"*:1",
        b"2:4,1",
        b"1,2,3",
        b"5:1",
        b"4294967295",
        b"1:4294967295,*",
        b"1,3,5:7,*:4",
    )


def _patterns() -> Iterator[bytes]:
    yield from (
        b"\n*\na",
        b"\n%\na/b",
        b"a/\n%\nb\na/b",
        b"\n*a*b\nxaxb",
        b"x\n/*\ny",
        b"\n%/%\na/b",
        b"\nINBOX/%\nINBOX/a",
    )


def _parser(
    name: str, what: str, begins: Sequence[bytes], examples: Sequence[bytes], frames: Sequence[Frame]
) -> Target:
    run = _after(*(b"a " + begin for begin in begins))
    return Target(name, what, run, _arguments(*examples), (*WORDS, b"{}"), frames, longest=1000, largest=192 * 1024)


TARGETS = (
    Target(
        "commands",
        "IMAP receiver and grammar",
        stream,
        _streams,
        WORDS,
        FRAMES,
        largest=192 * 1024,
        is_one_answer=False,
    ),
    _parser(
        "search",
        "search, sort and thread keys",
        (b"SEARCH ", b"SORT (ARRIVAL) UTF-8 ", b"UID THREAD REFERENCES UTF-8 ", b"SORT "),
        (b"SEARCH ", b"SORT ", b"UID SEARCH ", b"THREAD "),
        ((b"", b""), (b"OR ", b""), (b"(", b")"), (b"HEADER ", b" x")),
    ),
    _parser(
        "fetch",
        "items of FETCH and STORE",
        (b"FETCH 1 ", b"UID FETCH ", b"STORE 1 ", b"UID STORE "),
        (b"FETCH ", b"UID FETCH ", b"STORE ", b"UID STORE "),
        ((b"", b""), (b"(", b")"), (b"BODY[", b"]"), (b"BODY[HEADER.FIELDS (", b")]"), (b"FLAGS (", b")")),
    ),
    Target(
        "names",
        "mailbox names, modified UTF-7",
        names,
        _names,
        (b"&", b"-", b"/", b"&AOk-", b"INBOX", b",", b"&-", b"\xc3\xa9", b"AOk", b"2D3eAA", b"A"),
        longest=200,
    ),
    Target(
        "sets",
        "sequence sets",
        sets,
        _sets,
        (b",", b":", b"*", b"1", b"4294967295", b"10", b"1:*", b"1,3"),
        longest=500,
    ),
    Target(
        "patterns",
        "patterns of LIST",
        patterns,
        _patterns,
        (b"*", b"%", b"/", b"\n", b"a", b"INBOX", b"%*"),
        ((b"", b"\nx"), (b"\n", b"\naaaaaaaaaaaaaaaaaaaa"), (b"\n*a\n", b""), (b"\n%*%a\n", b"")),
        longest=200,
    ),
)
