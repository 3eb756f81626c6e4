"""Errors in an APPEND are reported before its message is sent, and also in the whole command."""

import pytest

from mektup.terms.errors import ClientError
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.sets import SequenceSet
from mektup.wire.commands import parse_append_start
from mektup.wire.requests import AppendStart, Replaced
from tests.wire.parsing import Message, command, complaint

MESSAGE = "the message as a literal such as {310}"
FIRST = AppendStart(b"a1", "x", (), None)
DATE = 'a date and time such as "01-Feb-2024 09:30:00 +0100"'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a1 APPEND", "Expected a space and a mailbox name at column 10"),
        ("a1 APPEND (\\Seen) ", "Expected a mailbox name at column 11"),
        ("a1 APPEND INBOX", f"Expected a space and {MESSAGE} at column 16"),
        ("a1 APPEND INBOX x ", f"Expected {MESSAGE} at column 17"),
        ("a1 APPEND INBOX (\\Seen)", f"Expected a space and {MESSAGE} at column 24"),
        ("a1 APPEND INBOX (\\Seen ", "Expected a flag such as \\Seen or a keyword such as $Forwarded at column 24"),
        ("a1 APPEND INBOX (\\Recent) ", "\\Recent cannot be changed at column 18"),
        ('a1 APPEND INBOX "17-Jul-1996" ', f"Expected {DATE} at column 17"),
        ('a1 APPEND INBOX "31-Feb-1996 02:44:25 -0700" ', f"Expected {DATE} at column 17"),
        ('a1 APPEND INBOX "hello" ', f"Expected {DATE} at column 17"),
        ("a1 APPEND a\x01b ", f"Expected a space and {MESSAGE} at column 12"),
        ('a1 APPEND "a\x01b" ', "A mailbox name must not contain control characters at column 11"),
    ],
)
def test_errors(line: str, text: str) -> None:
    with pytest.raises(ClientError) as error:
        parse_append_start(command(line), utf8=False, limits=DEFAULT_LIMITS)
    assert str(error.value) == text
    assert complaint(line + "{}", Message(3)) == text


def test_errors_of_whole_commands() -> None:
    assert complaint("a1 APPEND INBOX ") == f"Expected {MESSAGE} at column 17"
    assert complaint("a1 APPEND INBOX {}", b"held in memory") == f"Expected {MESSAGE} at column 17"
    assert complaint("a1 APPEND INBOX {}x", Message(3)) == "Expected the end of the command at column 17"
    assert complaint("a1 APPEND INBOX {} x", Message(3)) == f"Expected {MESSAGE} at column 18"
    assert complaint("a1 APPEND {} {}", Message(3), Message(3)) == "Expected a string, and not a message at column 11"


def test_errors_of_later_messages() -> None:
    with pytest.raises(ClientError) as error:
        start_of("a1 APPEND x {}(\\Seen) ", Message(3), before=FIRST)
    assert str(error.value) == f"Expected a space and {MESSAGE} at column 13"


def test_text_between_earlier_messages_is_not_parsed_again() -> None:
    # a thousand messages that are announced would be half a million that are read
    line = "a1 APPEND x {}no space, and no flags{} (\\Seen) "
    start = start_of(line, Message(3), Message(3), before=FIRST)
    assert start is not None
    assert (start.mailbox, start.flags) == ("x", ("\\Seen",))


def test_columns_count_what_stands_between_earlier_messages() -> None:
    with pytest.raises(ClientError) as error:
        start_of("a1 APPEND x {} {} x ", Message(3), Message(3), before=FIRST)
    assert str(error.value) == f"Expected {MESSAGE} at column 15"


def start_of(line: str, *literals: bytes | Message, before: AppendStart | None = None) -> AppendStart | None:
    return parse_append_start(command(line, *literals), utf8=False, limits=DEFAULT_LIMITS, before=before)


def test_the_literals_of_catenate() -> None:
    first = start_of('a1 APPEND x (\\Seen) CATENATE (URL "u" TEXT ')
    assert first is not None
    assert (first.mailbox, first.catenates, first.is_message) == ("x", True, True)
    second = start_of('a1 APPEND x CATENATE (URL "u" TEXT {} URL v URL ', Message(3), before=first)
    assert second is not None
    assert (second.mailbox, second.catenates, second.is_message) == ("x", True, False)
    third = start_of("a1 APPEND x CATENATE (TEXT {} URL {}) (\\Flagged) ", Message(3), b"url", before=second)
    assert third is not None
    assert (third.flags, third.catenates, third.is_message) == (("\\Flagged",), False, True)
    fourth = start_of(
        "a1 APPEND x CATENATE (TEXT {} URL {}) {} CATENATE (TEXT ", Message(3), b"url", Message(3), before=third
    )
    assert fourth is not None
    assert (fourth.catenates, fourth.is_message) == (True, True)


@pytest.mark.parametrize("rest", [") ", " ", " TEXT", " TEXT x ", ")x ", " URL x", ' URL "x', " FILE ", ")) "])
def test_errors_within_catenate(rest: str) -> None:
    before = AppendStart(b"a1", "x", (), None, catenates=True)
    if rest == ") ":
        assert start_of("a1 APPEND x CATENATE (TEXT {}" + rest, Message(3), before=before) is not None
        return
    with pytest.raises(ClientError):
        start_of("a1 APPEND x CATENATE (TEXT {}" + rest, Message(3), before=before)


def test_the_start_of_replace() -> None:
    start = start_of("a1 UID REPLACE 7 Drafts (\\Draft) ")
    assert start is not None
    assert start.replaced == Replaced(SequenceSet(((7, 7),)), by_uid=True)
    assert (start.mailbox, start.flags) == ("Drafts", ("\\Draft",))
    assert start_of("a1 REPLACE * ") is None
    for line in ("a1 REPLACE ", "a1 REPLACE Drafts ", "a1 REPLACE 0 Drafts ", "a1 REPLACE 1,2 Drafts ", "a1 REPLACE 1"):
        with pytest.raises(ClientError):
            start_of(line)
