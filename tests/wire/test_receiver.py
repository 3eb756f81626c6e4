"""Lines and literals in any pieces are split correctly, every size is limited, and faulty input is skipped."""

import pytest

from mektup.terms.errors import ClientError, Code
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.wire import texts
from mektup.wire.receiver import _STEPS, CommandFault, Event, LiteralOffered, RawCommand, Receiver, ReceiverState
from tests.wire.driving import LIMITS, Sink, accept, accept_into_sink, events, raw, refuse, ways


def offered(*fragments: bytes, size: int, waits: bool = True, binary: bool = False, literals: tuple[bytes, ...] = ()):
    return LiteralOffered(RawCommand(fragments, literals), size, waits, binary)


NOOP = raw(b"z NOOP")

GOOD: list[tuple[str, bytes, list[Event]]] = [
    ("a line", b"a NOOP\r\n", [raw(b"a NOOP")]),
    ("two lines in a row", b"a NOOP\r\nb NOOP\r\n", [raw(b"a NOOP"), raw(b"b NOOP")]),
    ("a bare LF", b"a NOOP\n", [raw(b"a NOOP")]),
    ("a CRLF that telnet read from a pipe", b"a NOOP\r\0\r\nb NOOP\r\0\r\n", [raw(b"a NOOP"), raw(b"b NOOP")]),
    ("empty lines in between", b"\r\n\na NOOP\r\n\r\n", [raw(b"a NOOP")]),
    ("spaces are text", b"  \r\n", [raw(b"  ")]),
    ("CR within a line is text", b"a\rb\r\n", [raw(b"a\rb")]),
    ("8-bit octets are text", b"a \xff\xfe\r\n", [raw(b"a \xff\xfe")]),
    (
        "a literal",
        b"a LOGIN {5}\r\nlinda x\r\n",
        [offered(b"a LOGIN ", size=5), RawCommand((b"a LOGIN ", b" x"), (b"linda",))],
    ),
    (
        "a literal that does not wait",
        b"a LOGIN {5+}\r\nlinda x\r\n",
        [offered(b"a LOGIN ", size=5, waits=False), RawCommand((b"a LOGIN ", b" x"), (b"linda",))],
    ),
    (
        "an empty literal",
        b"a LOGIN {0}\r\n x\r\n",
        [offered(b"a LOGIN ", size=0), RawCommand((b"a LOGIN ", b" x"), (b"",))],
    ),
    (
        "a literal8",
        b"a X ~{2}\r\n\0\0\r\n",
        [offered(b"a X ", size=2, binary=True), RawCommand((b"a X ", b""), (b"\0\0",))],
    ),
    (
        "a literal8 that does not wait",
        b"a X ~{2+}\r\n\0\n y\r\n",
        [offered(b"a X ", size=2, waits=False, binary=True), RawCommand((b"a X ", b" y"), (b"\0\n",))],
    ),
    (
        "a literal that looks like commands",
        b"a X {12}\r\nb X {3}\r\nc\r\n\r\n",
        [offered(b"a X ", size=12), RawCommand((b"a X ", b""), (b"b X {3}\r\nc\r\n",))],
    ),
    (
        "an announcement behind a bare LF",
        b"a X {1}\ny\n",
        [offered(b"a X ", size=1), RawCommand((b"a X ", b""), (b"y",))],
    ),
    (
        "two literals",
        b"a LOGIN {1+}\r\nx {1+}\r\ny\r\n",
        [
            offered(b"a LOGIN ", size=1, waits=False),
            offered(b"a LOGIN ", b" ", size=1, waits=False, literals=(b"x",)),
            RawCommand((b"a LOGIN ", b" ", b""), (b"x", b"y")),
        ],
    ),
    ("braces that announce nothing", b"a X {a}\r\nb {}\r\nc }\r\n", [raw(b"a X {a}"), raw(b"b {}"), raw(b"c }")]),
    ("no announcement of RFC 7888", b"a X {1-}\r\n", [raw(b"a X {1-}")]),
    ("braces before the end", b"a X {1} y\r\n", [raw(b"a X {1} y")]),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "expected"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_lines_and_literals(octets: bytes, expected: list[Event]) -> None:
    for piece in ways(octets):
        assert events(octets, piece=piece) == expected
        assert events(octets + b"z NOOP\r\n", piece=piece) == [*expected, NOOP]


def test_no_event_before_the_last_octet() -> None:
    receiver = Receiver(LIMITS)
    for octet in b"a NOOP\r":
        receiver.feed(bytes([octet]))
        assert receiver.next_event() is None
        assert receiver.has_buffered
    receiver.feed(b"\n")
    assert receiver.next_event() == raw(b"a NOOP")
    assert not receiver.has_buffered


LONG = b"a " + b"x" * 59
FAULTS: list[tuple[str, bytes, CommandFault]] = [
    ("a line too long", LONG + b"\r\n", CommandFault(b"a", texts.LONGEST_LINE.of(octets=60), 61)),
    ("without a tag", b"(" * 61 + b"\r\n", CommandFault(None, texts.LONGEST_LINE.of(octets=60), 61)),
    ("much too long", b"a " + b"x" * 500 + b"\r\n", CommandFault(b"a", texts.LONGEST_LINE.of(octets=60), 61)),
    ("without an end to its tag", b"x" * 70 + b"\r\n", CommandFault(None, texts.LONGEST_LINE.of(octets=60), 61)),
    (
        "with a literal that comes at once",
        LONG + b"{3+}\r\n\r\nx y\r\n",
        CommandFault(b"a", texts.LONGEST_LINE.of(octets=60), 61),
    ),
    ("with a literal that would wait", LONG + b"{3}\r\n", CommandFault(b"a", texts.LONGEST_LINE.of(octets=60), 61)),
    ("NUL", b"a NO\0OP\r\n", CommandFault(b"a", texts.NUL_OUTSIDE, 5)),
    (
        "NUL before a literal",
        b"a \0 {3+}\r\nb\r\n {2+}\r\nxx\r\n",
        CommandFault(b"a", texts.NUL_OUTSIDE, 3),
    ),
    ("a literal too large", b"a LOGIN {21}\r\n", CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 9)),
    (
        "which comes at once",
        b"a LOGIN {21+}\r\nb NOOP\r\nc NOOP\r\nxxxxx y\r\n",
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 9),
    ),
    (
        "and is followed by more",
        b"a LOGIN {21+}\r\n" + b"x" * 21 + b" {4+}\r\nb\r\nb {3+}\r\nc\r\n\r\n",
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 9),
    ),
    (
        "and then by one that waits, in vain",
        b"a LOGIN {21+}\r\n" + b"x" * 21 + b" {4}\r\n",
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 9),
    ),
]


@pytest.mark.parametrize(("octets", "fault"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_faults_and_what_is_skipped(octets: bytes, fault: CommandFault) -> None:
    for piece in ways(octets):
        assert events(octets, piece=piece) == [fault]
        assert events(octets + b"z NOOP\r\n", piece=piece) == [fault, NOOP]


def test_a_line_of_exactly_the_limit() -> None:
    line = b"a " + b"x" * 58
    for piece in ways(line):
        assert events(line + b"\r\n", piece=piece) == [raw(line)]


def test_the_number_of_literals() -> None:
    octets = b"a X" + b" {1+}\r\ny" * 4 + b"\r\nz NOOP\r\n"
    for piece in ways(octets):
        seen = events(octets, piece=piece)
        assert seen[-2:] == [CommandFault(b"a", texts.MOST_LITERALS.of(most=3)), NOOP]
        assert len(seen) == 5


def test_the_size_of_a_whole_command() -> None:
    octets = b"a " + b"x" * 40 + b" {20+}\r\n" + b"y" * 20 + b"x" * 40 + b"\r\nz NOOP\r\n"
    for piece in ways(octets):
        seen = events(octets, piece=piece)
        assert seen[1:] == [CommandFault(b"a", texts.LONGEST_COMMAND.of(octets=100)), NOOP]
    literal_too_much = b"a " + b"x" * 50 + b" {20+}\r\n" + b"y" * 20 + b"x" * 20 + b" {8+}\r\nz NOOP\r\n\r\nz NOOP\r\n"
    for piece in ways(literal_too_much):
        seen = events(literal_too_much, piece=piece)
        assert seen[1:] == [CommandFault(b"a", texts.LONGEST_COMMAND.of(octets=100)), NOOP]


def test_limits_before_login() -> None:
    def before(octets: bytes) -> list[Event]:
        found = [events(octets, piece=piece, logged_in=False) for piece in ways(octets)]
        assert found[0] == found[1] == found[2]
        return found[0]

    assert before(b"a " + b"x" * 39 + b"\r\nz NOOP\r\n") == [
        CommandFault(b"a", texts.LONGEST_LINE.of(octets=40), 41),
        NOOP,
    ]
    assert before(b"a X {11+}\r\n" + b"x" * 11 + b"\r\nz NOOP\r\n") == [
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=10), 5),
        NOOP,
    ]
    assert before(b"a X" + b" {1+}\r\ny" * 3 + b"\r\nz NOOP\r\n")[2:] == [
        CommandFault(b"a", texts.MOST_LITERALS.of(most=2)),
        NOOP,
    ]
    # Before login there are no messages, and a literal too large to skip ends the connection.
    assert before(b"a APPEND INBOX {100}\r\nz NOOP\r\n") == [
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=10), 16),
        NOOP,
    ]
    assert before(b"a APPEND INBOX {100+}\r\nz NOOP\r\n") == [
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=10), 16, fatal=True)
    ]


def test_limits_change_between_two_commands_of_one_packet() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a LOGIN x y\r\nb " + b"x" * 50 + b"\r\n")
    assert receiver.next_event() == raw(b"a LOGIN x y")
    receiver.logged_in()
    assert receiver.next_event() == raw(b"b " + b"x" * 50)


def test_lines_ahead_are_shown_up_to_a_literal_and_not_consumed() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a NOOP\r\nb NOOP\r\nc NOOP\nd LOGIN {1+}\r\nx y\r\ne NOOP\r\n")
    assert list(receiver.ahead()) == []  # the first line is not looked at ahead
    assert receiver.next_event() == raw(b"a NOOP")
    assert list(receiver.ahead()) == [b"b NOOP", b"c NOOP", b"d LOGIN {1+}"]
    assert receiver.upcoming() == b"b NOOP"
    assert receiver.next_event() == raw(b"b NOOP")
    assert list(receiver.ahead()) == [b"c NOOP", b"d LOGIN {1+}"]
    assert receiver.next_event() == raw(b"c NOOP")
    assert isinstance(receiver.next_event(), LiteralOffered)
    assert list(receiver.ahead()) == []


# Messages


@pytest.mark.parametrize("mark", [b"{%d}", b"{%d+}", b"~{%d}", b"~{%d+}"])
def test_a_message_goes_into_a_sink(mark: bytes) -> None:
    message = b"Subject: x\r\n\r\n" + bytes(range(150))
    octets = b"a APPEND INBOX (\\Seen) " + mark % len(message) + b"\r\n" + message + b"\r\nz NOOP\r\n"
    sink = Sink(len(message))
    sink.write(message)
    start = offered(b"a APPEND INBOX (\\Seen) ", size=164, waits=b"+" not in mark, binary=b"~" in mark)
    for piece in ways(octets):
        command = RawCommand((b"a APPEND INBOX (\\Seen) ", b""), (sink,))
        assert events(octets, piece=piece, answer=accept_into_sink) == [start, command, NOOP]


def test_messages_do_not_count_towards_the_size_of_the_command() -> None:
    octets = b"a APPEND INBOX" + (b" {150+}\r\n" + b"x" * 150) * 3 + b"\r\nz NOOP\r\n"
    for piece in ways(octets):
        assert events(octets, piece=piece, answer=accept_into_sink)[-1] == NOOP


def test_a_mailbox_name_as_literal_is_no_message() -> None:
    assert events(b"a APPEND {21}\r\n", piece=99) == [CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 10)]
    octets = b"a append {5}\r\nINBOX {100}\r\n"
    for piece in ways(octets):
        seen = events(octets, piece=piece, answer=lambda r, o: r.accept() if o.size == 5 else r.refuse())
        assert seen == [
            offered(b"a append ", size=5),
            offered(b"a append ", b" ", size=100, literals=(b"INBOX",)),
        ]


@pytest.mark.parametrize("word", [b"APPENDIX x", b"XAPPEND x", b"a APPEND x"])
def test_only_append_may_have_messages(word: bytes) -> None:
    assert isinstance(events(b"a " + word + b" {21}\r\n", piece=99)[0], CommandFault)


def test_a_synchronizing_message_is_offered_at_any_size() -> None:
    octets = b"a APPEND INBOX {99999999999}\r\nz NOOP\r\n"
    for piece in ways(octets):
        assert events(octets, piece=piece, answer=refuse) == [
            offered(b"a APPEND INBOX ", size=99999999999),
            NOOP,
        ]


def test_a_non_synchronizing_message_that_is_too_large_to_skip() -> None:
    octets = b"a APPEND INBOX {201+}\r\nz NOOP\r\n"
    fault = CommandFault(b"a", texts.LARGEST_MESSAGE.of(octets=200), fatal=True, code=Code.TOOBIG)
    for piece in ways(octets):
        assert events(octets, piece=piece) == [fault]


@pytest.mark.parametrize("begin", [b"GET /", b"POST /x", b"EHLO a", b"SSH-2.0-"], ids=repr)
def test_a_first_line_of_another_protocol_may_be_too_long(begin: bytes) -> None:
    octets = begin + b"x" * LIMITS.line_bytes + b" HTTP/1.1\r\na NOOP\r\n"
    for piece in ways(octets):
        (fault,) = events(octets, piece=piece)
        assert isinstance(fault, CommandFault)
        assert fault.fatal


@pytest.mark.parametrize("digits", [b"9223372036854775808", b"9" * 40])
def test_a_size_above_number64(digits: bytes) -> None:
    assert events(b"a X {" + digits + b"}\r\nz NOOP\r\n", piece=7) == [
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 5),
        NOOP,
    ]
    assert events(b"a X {" + digits + b"+}\r\nz NOOP\r\n", piece=7) == [
        CommandFault(b"a", texts.LARGEST_LITERAL.of(octets=20), 5, fatal=True)
    ]


def test_a_refused_literal_is_not_read_as_commands() -> None:
    octets = b"a APPEND INBOX {10+}\r\nb NOOP\r\nxx {8+}\r\nc NOOP\r\n y\r\nz NOOP\r\n"
    for piece in ways(octets):
        assert events(octets, piece=piece, answer=refuse) == [
            offered(b"a APPEND INBOX ", size=10, waits=False),
            NOOP,
        ]


def test_a_skipped_command_may_become_too_large() -> None:
    octets = b"a APPEND INBOX {10+}\r\n0123456789 {201+}\r\nz NOOP\r\n"
    for piece in ways(octets):
        assert events(octets, piece=piece, answer=refuse)[1:] == [
            CommandFault(None, texts.LARGEST_LITERAL.of(octets=20), fatal=True)
        ]


def test_no_memory_is_allocated_for_an_announced_literal() -> None:
    receiver = Receiver(DEFAULT_LIMITS)
    receiver.logged_in()
    receiver.feed(b"a X {131072}\r\n")
    assert isinstance(receiver.next_event(), LiteralOffered)
    receiver.accept()
    receiver.feed(b"xyz")
    assert receiver.next_event() is None
    assert len(receiver._held) == 3


def test_only_a_sink_takes_a_large_message() -> None:
    receiver = Receiver(LIMITS)
    receiver.logged_in()
    receiver.feed(b"a APPEND INBOX {21}\r\n")
    assert isinstance(receiver.next_event(), LiteralOffered)
    with pytest.raises(ValueError, match="21"):
        receiver.accept()


@pytest.mark.parametrize("answer", [accept, refuse, accept_into_sink])
def test_an_answer_needs_an_offer(answer) -> None:
    with pytest.raises(ValueError, match="no literal"):
        answer(Receiver(LIMITS), offered(b"", size=1))


def test_nothing_happens_before_an_offer_is_answered() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a X {1+}\r\ny\r\n")
    assert isinstance(receiver.next_event(), LiteralOffered)
    assert receiver.next_event() is None
    receiver.accept()
    assert receiver.next_event() == RawCommand((b"a X ", b""), (b"y",))


# Clients of other protocols


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"GET / HTTP/1.1\r\n", "an HTTP client"),
        (b"CONNECT mail:443 HTTP/1.1\r\n", "an HTTP client"),
        (b"PRI * HTTP/2.0\r\n", "an HTTP client"),
        (b"EHLO there\r\n", "a mail sender (SMTP or LMTP)"),
        (b"SSH-2.0-OpenSSH_9\r\n", "an SSH client"),
    ],
)
def test_clients_of_other_protocols_learn_that_this_is_imap(octets: bytes, name: str) -> None:
    for piece in ways(octets):
        (fault,) = events(octets + b"z NOOP\r\n", piece=piece)
        assert isinstance(fault, CommandFault)
        assert (fault.tag, fault.fatal) == (None, True)
        assert str(fault.text) == f"This is an IMAP server, and you seem to be {name}"


def test_a_tls_handshake_needs_no_line_end() -> None:
    for piece in ways(b"\x16\x03\x01\x02\x00"):
        (fault,) = events(b"\x16\x03\x01\x02\x00", piece=piece)
        assert isinstance(fault, CommandFault)
        assert fault.fatal
        assert "IMAPS port" in str(fault.text)


def test_only_the_first_line_is_checked_for_other_protocols() -> None:
    assert events(b"a NOOP\r\nGET / HTTP/1.1\r\n", piece=5) == [raw(b"a NOOP"), raw(b"GET / HTTP/1.1")]
    assert events(b"GET NOOP\r\n", piece=5) == [raw(b"GET NOOP")]


# Bare lines


def test_bare_lines() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a IDLE\r\nDO")
    assert receiver.next_event() == raw(b"a IDLE")
    assert receiver.next_line() is None
    receiver.feed(b"NE\r\nb NOOP\r\n")
    assert receiver.next_line() == b"DONE"
    assert receiver.next_event() == raw(b"b NOOP")
    assert receiver.next_line() is None


def test_bare_lines_may_be_empty_and_have_no_literals() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a IDLE\r\n\r\nx {3+}\r\n*\n")
    assert receiver.next_event() == raw(b"a IDLE")
    assert [receiver.next_line() for _ in range(4)] == [b"", b"x {3+}", b"*", None]


@pytest.mark.parametrize("digits", [b"1" * 19, b"1" * 20, b"1" * 105, b"0" * 100 + b"5", b"0" * 16 + b"5"])
def test_an_announcement_with_many_digits_is_found_in_a_skipped_line(digits: bytes) -> None:
    octets = b"a " + b"x" * LIMITS.line_bytes + b"{" + digits + b"+}\r\nb NOOP\r\nc NOOP\r\n"
    for piece in ways(octets):
        came = [event for event in events(octets, piece=piece) if isinstance(event, RawCommand)]
        assert came == ([raw(b"c NOOP")] if len(digits) < 19 else [])


@pytest.mark.parametrize("end", [b"\r", b"\r\r", b"\r\0\r", b"\r\r\r", b"\r" * 60], ids=repr)
def test_the_end_of_the_longest_line_may_come_in_pieces(end: bytes) -> None:
    octets = b"a " + b"x" * (LIMITS.line_bytes - 2) + end + b"\nb NOOP\r\n"
    came = [events(octets, piece=piece) for piece in ways(octets)]
    assert came[0] == came[1] == came[2]
    assert isinstance(came[0][0], RawCommand) == (not end.startswith(b"\r\r\r"))
    assert came[0][1] == raw(b"b NOOP")


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_bare_line_too_long(piece: int) -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a IDLE\r\n")
    assert receiver.next_event() == raw(b"a IDLE")
    octets = b"x" * 200 + b"{9+}\r\nDONE\r\n"
    faults, lines = [], []
    for start in range(0, len(octets), piece):
        receiver.feed(octets[start : start + piece])
        for _ in range(3):
            try:
                line = receiver.next_line()
            except ClientError as error:
                faults.append(str(error))
            else:
                lines += [line] if line is not None else []
    assert faults == ["A line may have 40 octets at column 41"]
    assert lines == [b"DONE"]


def test_every_state_has_a_step() -> None:
    assert len(_STEPS) == len(ReceiverState)


def test_octets_may_be_fed_while_others_are_unread() -> None:
    receiver = Receiver(LIMITS)
    receiver.feed(b"a X {3+}\r\nyy")
    assert isinstance(receiver.next_event(), LiteralOffered)
    receiver.feed(b"y\r\nb NO")
    receiver.feed(b"OP\r\n")
    receiver.accept()
    assert receiver.next_event() == RawCommand((b"a X ", b""), (b"yyy",))
    assert receiver.has_buffered
    assert receiver.next_event() == raw(b"b NOOP")
