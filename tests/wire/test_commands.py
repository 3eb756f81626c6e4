"""Tags, words, and the rules that all commands share."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.wire.commands import COMMANDS, parse_append_start, tag_of
from mektup.wire.requests import (
    Append,
    AppendStart,
    Capability,
    Check,
    Close,
    Fetch,
    Idle,
    Logout,
    Namespace,
    Noop,
    Request,
    StartTls,
    Unselect,
)
from tests.wire.parsing import Message, command, complaint, parsed

BARE = {
    "CAPABILITY": Capability,
    "NOOP": Noop,
    "LOGOUT": Logout,
    "STARTTLS": StartTls,
    "NAMESPACE": Namespace,
    "IDLE": Idle,
    "CHECK": Check,
    "CLOSE": Close,
    "UNSELECT": Unselect,
}

AFTER_UID = "Expected COPY, EXPUNGE, FETCH, MOVE, REPLACE, SEARCH, SORT, STORE or THREAD after UID at column 4"


@pytest.mark.parametrize(("word", "request_"), BARE.items())
def test_commands_without_arguments(word: str, request_: type[Request]) -> None:
    assert parsed(f"a1 {word}") == request_(b"a1")
    assert parsed(f"a1 {word.lower()}") == request_(b"a1")
    # People type trailing spaces.
    assert parsed(f"a1  {word} ") == request_(b"a1")
    assert complaint(f"a1 {word} x") == f"Expected the end of the command at column {len(word) + 5}"
    assert complaint(f"a1 {word}(") == f"Expected the end of the command at column {len(word) + 4}"
    assert complaint(f"a1 {word} {{}}", b"x") == f"Expected the end of the command at column {len(word) + 5}"


@pytest.mark.parametrize("tag", ["a1", ".", "A.1", "]", "!#$&',-/:;<=>?@[^_`|}~", "NOOP", "UID"])
def test_tags(tag: str) -> None:
    assert parsed(f"{tag} NOOP") == Noop(tag.encode())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        (" a1 NOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("* NOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("a+1 NOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("(a1) NOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("é NOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("a1", "Expected a command after the tag, such as: a1 NOOP at column 3"),
        ("a1 ", "Expected a command after the tag, such as: a1 NOOP at column 4"),
        ("a1 (NOOP)", "Expected a command after the tag, such as: a1 NOOP at column 4"),
        ("a1\tNOOP", "Expected a tag of your choice and a command, such as: a1 NOOP at column 1"),
        ("NOOP", "Expected a tag of your choice before the command, such as: a1 NOOP at column 1"),
        ("login linda x", "Expected a tag of your choice before the command, such as: a1 NOOP at column 1"),
        ("a1 SELCT INBOX", "Unknown command; did you mean SELECT? at column 4"),
        ("a1 XYZZY", "Unknown command at column 4"),
        ("a1 " + "X" * 9999, "Unknown command at column 4"),
        ("a1 UID", AFTER_UID),
        ("a1 UID ", AFTER_UID),
        ("a1 UID NOOP", AFTER_UID),
    ],
)
def test_lines_that_do_not_begin_like_a_command(line: str, text: str) -> None:
    assert complaint(line) == text


@pytest.mark.parametrize(
    ("line", "tag"),
    [
        (b"a1 NOOP", b"a1"),
        (b"a1", b"a1"),
        (b". x", b"."),
        (b"a1 \0\xff", b"a1"),
        (b"", None),
        (b" a1", None),
        (b"+ NOOP", None),
        (b"a+1 NOOP", None),
        (b"a(1 NOOP", None),
        (b"\xff NOOP", None),
        (b"a\tNOOP", None),
    ],
)
def test_tag_of(line: bytes, tag: bytes | None) -> None:
    assert tag_of(command(line)) == tag


@pytest.mark.parametrize("word", [word.decode() for word in COMMANDS])
def test_every_command_refuses_wrong_arguments(word: str) -> None:
    assert "at column" in complaint(f"a1 {word} )")


@pytest.mark.parametrize("word", [word.decode() for word in COMMANDS])
def test_only_append_accepts_a_message(word: str) -> None:
    assert "at column" in complaint(f"a1 {word} {{}}", Message(5))


# The start of an APPEND

DATE = '"17-Jul-1996 02:44:25 -0700"'


@pytest.mark.parametrize(
    ("line", "literals", "mailbox", "flags", "date"),
    [
        ("a1 APPEND INBOX ", (), "INBOX", (), None),
        ("a1 append inbox (\\Seen $x) ", (), "INBOX", ("\\Seen", "$x"), None),
        (f"a1 APPEND x {DATE} ", (), "x", (), (837596665, -420)),
        (f"a1 APPEND x () {DATE} ", (), "x", (), (837596665, -420)),
        ('a1 APPEND "a b"  (\\Seen)  ', (), "a b", ("\\Seen",), None),
        ("a1 APPEND {} (\\Draft) ", (b"a b",), "a b", ("\\Draft",), None),
        ("a1 APPEND x (\\Seen) {} (\\Draft) ", (Message(5),), "x", ("\\Draft",), None),
        ("a1 APPEND x {} {} ", (Message(5), Message(6)), "x", (), None),
    ],
)
def test_append_start(line, literals, mailbox, flags, date) -> None:
    before = AppendStart(b"a1", "x", (), None) if any(isinstance(each, Message) for each in literals) else None
    start = parse_append_start(command(line, *literals), utf8=False, limits=DEFAULT_LIMITS, before=before)
    assert start is not None
    assert (start.tag, start.mailbox, start.flags, start.internaldate) == (b"a1", mailbox, flags, date)


@pytest.mark.parametrize("line", ["a1 APPEND ", "a1 LOGIN ", "a1 SEARCH TEXT ", "a1 UID SEARCH TEXT ", "a1 NOOP "])
def test_lines_that_start_no_append(line: str) -> None:
    assert parse_append_start(command(line), utf8=False, limits=DEFAULT_LIMITS) is None


@pytest.mark.parametrize("line", ["", "a1", "(", "a1 X APPEND INBOX ", "a1 UID ", "APPEND INBOX "])
def test_the_literal_of_an_unknown_command_is_refused(line: str) -> None:
    with pytest.raises(ClientError) as error:
        parse_append_start(command(line), utf8=False, limits=DEFAULT_LIMITS)
    assert str(error.value) == complaint(line + "{}", b"")


def test_append_start_with_utf8_names() -> None:
    start = parse_append_start(command('a1 APPEND "käse" '), utf8=True, limits=DEFAULT_LIMITS)
    assert start is not None
    assert start.mailbox == "käse"


def test_a_whole_append() -> None:
    first, second = Message(5), Message(6)
    request = parsed("a1 APPEND INBOX (\\Seen) {}", first)
    assert isinstance(request, Append)
    assert request.mailbox == "INBOX"
    (message,) = request.messages
    assert (message.flags, message.internaldate, message.message) == (("\\Seen",), None, first)
    request = parsed(f"a1 APPEND {{}} {{}} (\\Draft) {DATE} {{}} ", b"x", first, second)
    assert isinstance(request, Append)
    assert [(m.flags, m.internaldate, m.message) for m in request.messages] == [
        ((), None, first),
        (("\\Draft",), (837596665, -420), second),
    ]


def test_a_cached_command_is_parsed_again_under_other_limits() -> None:
    narrow = Limits(keyword_bytes=4, sequence_set_ranges=1, mailbox_name_bytes=10)
    for line in ("a1 STORE 1 +FLAGS ($Long)", "a1 UID STORE 1,2 +FLAGS (x)"):
        for _ in range(2):
            assert parsed(line)
            assert complaint(line, limits=narrow).startswith("Expected a")
            assert complaint(line, limits=narrow).startswith("Expected a")


def test_cached_fetch_items_are_used_only_under_the_same_limits() -> None:
    wide, narrow = Limits(), Limits(line_bytes=1)
    line = "a1 FETCH 1:3 (UID BODY.PEEK[HEADER.FIELDS (X-OF-LIMITS)])"
    first = parsed(line, limits=wide)
    assert isinstance(first, Fetch)
    again, other = parsed(line, limits=wide), parsed(line, limits=narrow)
    assert isinstance(again, Fetch)
    assert isinstance(other, Fetch)
    assert again.items is first.items
    assert other.items == first.items
    assert other.items is not first.items
