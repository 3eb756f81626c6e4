"""Any input gives a request, a ClientError or Refused, never another exception, and in linear time."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mektup.terms.errors import ClientError, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.lines import LONGEST_END
from mektup.wire.commands import COMMANDS, parse, parse_append_start, tag_of
from mektup.wire.receiver import CommandFault, LiteralOffered, RawCommand, Receiver
from mektup.wire.requests import Request
from tests.wire.driving import LIMITS, Sink
from tests.wire.parsing import Message, command

WORDS = [word.decode() for word in COMMANDS]
TOKENS = """a1 ( ) [ ] <0.1> " "x" \\ \\Seen $ * 1:* 1,2 0 , : { } {} NIL INBOX &AOk- & é % =
    BODY BODY[ HEADER.FIELDS . TEXT RETURN STATUS OR NOT FROM SINCE 1-Feb-2024 CHARSET UTF-8 idna MODSEQ
    UID FLAGS +FLAGS USE CHANGEDSINCE UNCHANGEDSINCE 99999999999999999999999"""
PIECES = st.sampled_from([*WORDS, *TOKENS.split(), " ", "  ", "\t", "\x7f", '"17-Jul-1996 02:44:25 -0700"'])
LINES = (
    st.binary(max_size=60)
    | st.lists(PIECES, max_size=25).map(lambda parts: "".join(parts).encode())
    | st.builds(lambda word, parts: f"a1 {word} {' '.join(parts)}".encode(), st.sampled_from(WORDS), st.lists(PIECES))
    | st.builds(lambda word, octets: f"a1 {word} ".encode() + octets, st.sampled_from(WORDS), st.binary(max_size=30))
)
LITERALS = st.binary(max_size=20) | st.integers(0, 20).map(Message)


@st.composite
def commands(draw: st.DrawFn) -> RawCommand:
    line = draw(LINES)
    count = line.count(b"{}")
    return command(line, *draw(st.lists(LITERALS, min_size=count, max_size=count)))


def check(error: ClientError, raw: RawCommand) -> None:
    """Its text is readable, and its column is within the command or directly after it."""
    assert str(error).isascii()
    assert str(error).isprintable()
    octets = sum(map(len, raw.fragments)) + sum(len(x) for x in raw.literals if isinstance(x, bytes))
    assert error.column is not None
    assert 1 <= error.column <= octets + 1


@settings(max_examples=500)
@given(commands(), st.booleans())
def test_any_command_is_parsed_or_refused(raw: RawCommand, utf8: bool) -> None:
    try:
        request = parse(raw, utf8=utf8, limits=DEFAULT_LIMITS)
    except ClientError as error:
        check(error, raw)
    except Refused:
        pass
    else:
        assert isinstance(request, Request)
        assert request.tag == tag_of(raw)


@settings(max_examples=500)
@given(commands(), st.booleans())
def test_any_beginning_of_an_append_is_parsed_or_refused(raw: RawCommand, utf8: bool) -> None:
    try:
        parse_append_start(raw, utf8=utf8, limits=DEFAULT_LIMITS)
    except ClientError as error:
        check(error, raw)


SNIPPETS = [
    *(b"a NOOP\r\n", b"a X {3}\r\n", b"a X {3+}\r\n", b"abc", b"\r\n", b"\n", b"\r", b"\0", b"{", b"+}", b"}\r\n"),
    *(b"a APPEND INBOX {9+}\r\n", b"a APPEND INBOX ~{30}\r\n", b"{99999+}\r\n", b"~{2}\r\n", b" ", b"\xff", b"x" * 70),
]
STREAMS = st.lists(st.sampled_from(SNIPPETS) | st.binary(max_size=8), max_size=30).map(b"".join)


def decisions(octets: bytes, pieces: list[int], answers: list[int]) -> Iterator[object]:
    """Events of *octets* in *pieces*. *answers* answer the offers, in the same way for all pieces."""
    receiver = Receiver(LIMITS)
    receiver.logged_in()
    at, turn = 0, 0
    for piece in [*pieces, len(octets)]:
        receiver.feed(octets[at : at + piece])
        at += piece
        while (event := receiver.next_event()) is not None:
            yield event
            if isinstance(event, LiteralOffered):
                answer = answers[turn % len(answers)]
                turn += 1
                if answer == 0 or event.size > LIMITS.message_bytes:
                    receiver.refuse()
                elif answer == 1 and event.size <= LIMITS.literal_bytes:
                    receiver.accept()
                else:
                    receiver.accept_into(Sink(event.size))
        assert len(receiver._partial) <= LIMITS.line_bytes + LONGEST_END
        assert len(receiver._held) <= LIMITS.literal_bytes


@settings(max_examples=500)
@example(b"x" * 70 + b"{99999+}\r\n", [9] * 8, [0])
@given(STREAMS, st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_events_do_not_depend_on_how_octets_arrive(octets: bytes, pieces: list[int], answers: list[int]) -> None:
    assert told(decisions(octets, pieces, answers)) == told(decisions(octets, [], answers))


def told(events: Iterator[object]) -> list[object]:
    """*events*, with one fault instead of two for a line that is too long and announces a literal that is too large.

    A whole line gives one fault. A line in pieces gives two, because the first is reported before its end is known.
    """
    joined: list[object] = []
    for event in events:
        before = joined[-1] if joined else None
        if isinstance(event, CommandFault) and event.fatal and isinstance(before, CommandFault):
            joined[-1] = replace(before, fatal=True)
        else:
            joined.append(event)
    return joined


LONG = 200_000
LARGE_LINES = {
    "spaces": b"a1 NOOP" + b" " * LONG,
    "spaces and more": b"a1 SEARCH" + b" " * LONG + b"x",
    "a quoted string without end": b'a1 LOGIN x "' + b"a" * LONG,
    "escapes": b'a1 LOGIN x "' + b'\\"' * (LONG // 2),
    "quotes": b"a1 SEARCH TEXT " + b'"' * LONG,
    "parentheses": b"a1 SEARCH " + b"(" * LONG,
    "closed parentheses": b"a1 SEARCH (" + b"SEEN " * 900 + b")" * LONG,
    "NOT": b"a1 SEARCH " + b"NOT " * (LONG // 4),
    "a set": b"a1 UID EXPUNGE " + b"1," * (LONG // 2),
    "a set of stars": b"a1 FETCH " + b"*:*," * (LONG // 4) + b"* FLAGS",
    "digits": b"a1 UID EXPUNGE " + b"1" * LONG,
    "zeros": b"a1 SEARCH LARGER " + b"0" * LONG,
    "flags": b"a1 STORE 1 FLAGS (" + b"\\a " * (LONG // 3),
    "many flags": b"a1 STORE 1 FLAGS (" + b"\\a " * (LONG // 3) + b"b)",
    "a long flag": b"a1 STORE 1 FLAGS (" + b"a" * LONG + b")",
    "items": b"a1 FETCH 1 (" + b"UID " * (LONG // 4) + b"FLAGS)",
    "a deep part": b"a1 FETCH 1 BODY[" + b"1." * (LONG // 2) + b"]",
    "header names": b"a1 FETCH 1 BODY[HEADER.FIELDS (" + b"x " * (LONG // 2) + b"y)]",
    "a shifted name": b"a1 SELECT " + b"&AOk-" * (LONG // 5),
    "ampersands": b"a1 SELECT " + b"&" * LONG,
    "a name": b"a1 SELECT " + b"x/" * (LONG // 2),
    "base64": b"a1 AUTHENTICATE PLAIN " + b"A" * LONG,
    "STATUS items": b"a1 STATUS x (" + b"UNSEEN " * (LONG // 7) + b"X)",
    "patterns": b'a1 LIST "" (' + b"*" * LONG + b")",
    "ID": b"a1 ID (" + b'"a" NIL ' * (LONG // 8) + b")",
    "a tag": b"a" * LONG,
    "a word": b"a1 " + b"a" * LONG,
    "capabilities": b"a1 ENABLE " + b"A " * (LONG // 2),
}


@pytest.mark.parametrize("line", LARGE_LINES.values(), ids=LARGE_LINES)
def test_parsing_a_line_is_linear(line: bytes) -> None:
    """A line of 200 kB may take time linear in its length, never quadratic."""
    started = time.process_time()
    with pytest.raises((ClientError, AssertionError)):
        assert not isinstance(parse(command(line), utf8=False, limits=DEFAULT_LIMITS), Request)
    assert time.process_time() - started < 1.0


def test_octets_that_arrive_one_by_one_cost_linear_time() -> None:
    """A line, a literal and a skipped line, each received octet by octet."""
    octets = b"a " + b"x" * 30_000 + b"\r\na X {30000+}\r\n" + b"y" * 30_000 + b"\r\na " + b"z" * 300_000 + b"\r\n"
    receiver = Receiver(DEFAULT_LIMITS)
    receiver.logged_in()
    started, seen = time.process_time(), 0
    for octet in octets:
        receiver.feed(bytes([octet]))
        while (event := receiver.next_event()) is not None:
            seen += 1
            if isinstance(event, LiteralOffered):
                receiver.accept()
    assert seen == 4
    assert time.process_time() - started < 4.0
