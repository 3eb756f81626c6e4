"""The answers of a session as lines for people, in whatever pieces they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.server.control.answer_lines import LINE_BYTES, AnswerLines, content_lines
from mektup.session.tap import CONTENT_BYTES, Answers

FETCH = (
    b"* 1 FETCH (UID 7 BODY[] {16}\r\nSubject: {3}\r\n\r\n FLAGS (\\Seen))\r\n"
    b"* 2 FETCH (BODY[] {0}\r\n)\r\n* OK text that ends in {5}\r\na OK FETCH completed\r\n"
)
FETCH_SHOWN = [
    b"* 1 FETCH (UID 7 BODY[] {16} ... 16 octets",
    b" FLAGS (\\Seen))",
    b"* 2 FETCH (BODY[] {0} ... 0 octets",
    b")",
    b"* OK text that ends in {5}",
    b"a OK FETCH completed",
]
RETR = b"+OK 11 octets\r\n..x\r\nhello\r\n.\r\n+OK\r\n"


def lines_of(
    protocol: str, octets: list[bytes], answers: Answers = Answers.LINES, *, wants_content: bool = False
) -> list[bytes]:
    told: list[bytes] = []
    lines = AnswerLines(protocol, told.append, wants_content=wants_content, hides_tag=False)
    lines.expect(answers)
    for piece in octets:
        lines.take(piece)
    return told


def pieces(octets: bytes) -> st.SearchStrategy[list[bytes]]:
    cuts = st.lists(st.integers(0, len(octets)), max_size=20).map(sorted)
    return cuts.map(lambda edges: [octets[a:b] for a, b in zip([0, *edges], [*edges, len(octets)], strict=True)])


@given(pieces(FETCH))
def test_literals_are_counted(octets: list[bytes]) -> None:
    assert lines_of("imap", octets) == FETCH_SHOWN


@given(pieces(FETCH))
def test_literals_are_shown_where_they_are_wanted(octets: list[bytes]) -> None:
    assert lines_of("imap", octets, wants_content=True)[:4] == [
        b"* 1 FETCH (UID 7 BODY[] {16}",
        b"| Subject: {3}",
        b"| ",
        b" FLAGS (\\Seen))",
    ]


@given(pieces(RETR), st.booleans())
def test_a_message_of_pop3_is_counted_or_shown(octets: list[bytes], wants_content: bool) -> None:
    content = [b"| ..x", b"| hello"] if wants_content else [b"... 12 octets"]
    shown = lines_of("pop3", octets, Answers.MESSAGE, wants_content=wants_content)
    assert shown == [b"+OK 11 octets", *content, b".", b"+OK"]


def test_a_refused_message_of_pop3_is_a_line() -> None:
    assert lines_of("pop3", [b"-ERR no\r\n+OK\r\n"], Answers.MESSAGE) == [b"-ERR no", b"+OK"]


def test_a_long_line_is_cut_and_its_literal_is_found() -> None:
    long = b"* 1 FETCH (" + b"x" * 100_000 + b" {3}\r\nabc)\r\n"
    first, rest = lines_of("imap", [long])
    assert len(first) < LINE_BYTES + 60
    assert first.endswith(b"100,017 octets in all ... 3 octets")
    assert rest == b")"


def test_content_is_bounded() -> None:
    octets = [b"* 1 FETCH (BODY[] {1000000}\r\n", *[b"x\r\n" * 1000] * 333, b"x" * 1000]
    shown = lines_of("imap", octets, wants_content=True)
    assert sum(map(len, shown)) < 3 * CONTENT_BYTES
    assert shown[-1] == b"| ... 934,464 more octets"


def test_memory_is_bounded() -> None:
    lines = AnswerLines("imap", lambda line: None, wants_content=True, hides_tag=False)
    for _ in range(100):
        lines.take(b"x" * 65536)
    assert len(lines._head) <= LINE_BYTES


@pytest.mark.parametrize("line", [b"+ cmVk\r\n", b"+ \r\n"])
def test_challenges_are_hidden_until_the_next_command(line: bytes) -> None:
    told: list[bytes] = []
    lines = AnswerLines("imap", told.append, wants_content=False, hides_tag=True)
    lines.take(line)
    assert told == [b"+ ***" if len(line) > 4 else line.rstrip(b"\r\n")]
    lines.expect(Answers.LINES)
    lines.take(b"+ idling\r\na OK\r\n")
    assert told[1:] == [b"+ idling", b"a OK"]


def test_the_tag_of_a_hidden_command_is_hidden() -> None:
    told: list[bytes] = []
    lines = AnswerLines("imap", told.append, wants_content=False, hides_tag=False)
    lines.expect_hidden()
    lines.take(b"* BYE\r\nsecret BAD no\r\n")
    assert told == [b"* BYE", b"*** BAD no"]


def test_content_of_a_client_is_cut() -> None:
    assert content_lines(1234, None) == [b"... 1,234 octets"]
    assert content_lines(5, b"a\r\nb") == [b"| a", b"| b", b"| ... 1 more octets"]


@given(pieces(b"CONT\t1\tc2VjcmV0\nCONT\t2\t\nOK\t1\tuser=linda\nFAIL\t2\tuser=x\treason=Wrong\n"))
def test_challenges_of_an_smtp_servers_logins_are_hidden(octets: list[bytes]) -> None:
    assert lines_of("sasl", octets, Answers.CHALLENGES) == [
        b"CONT\t1\t***",
        b"CONT\t2\t***",
        b"OK\t1\tuser=linda",
        b"FAIL\t2\tuser=x\treason=Wrong",
    ]
