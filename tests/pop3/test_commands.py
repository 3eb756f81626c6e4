"""Lines of POP3 become commands, or say what was expected."""

import pytest

from mektup.pop3.commands import RULES, Command, Pop3State, parse
from mektup.terms.errors import ClientError

BEFORE, AFTER = Pop3State.AUTHORIZATION, Pop3State.TRANSACTION

EXAMPLES = {
    "CAPA": b"CAPA",
    "USER": b"USER linda",
    "PASS": b"PASS Pa$$123",
    "AUTH": b"AUTH PLAIN",
    "STLS": b"STLS",
    "UTF8": b"UTF8",
    "STAT": b"STAT",
    "LIST": b"LIST",
    "UIDL": b"UIDL",
    "RETR": b"RETR 1",
    "TOP": b"TOP 1 0",
    "DELE": b"DELE 1",
    "RSET": b"RSET",
    "NOOP": b"NOOP",
    "QUIT": b"QUIT",
}


SAID = {Pop3State.AUTHORIZATION: "before login", Pop3State.TRANSACTION: "after login"}


def test_every_command_has_an_example() -> None:
    assert set(EXAMPLES) == set(RULES)


@pytest.mark.parametrize("state", list(Pop3State))
@pytest.mark.parametrize("verb", list(RULES))
def test_each_command_in_each_state(verb: str, state: Pop3State) -> None:
    if state in RULES[verb].states:
        assert parse(EXAMPLES[verb], state).verb == verb
    else:
        with pytest.raises(ClientError, match=f"^{verb} is not possible {SAID[state]}$"):
            parse(EXAMPLES[verb], state)


@pytest.mark.parametrize(
    ("line", "state", "command"),
    [
        (b"quit", BEFORE, Command("QUIT")),
        (b"STAT ", AFTER, Command("STAT")),
        (b"user linda@example.org", BEFORE, Command("USER", b"linda@example.org")),
        (b"USER h\xc3\xa9l\xc3\xa8ne", BEFORE, Command("USER", b"h\xc3\xa9l\xc3\xa8ne")),
        (b"PASS two words ", BEFORE, Command("PASS", b"two words ")),
        (b"PASS  leading", BEFORE, Command("PASS", b" leading")),
        (b"AUTH", BEFORE, Command("AUTH")),
        (b"AUTH ", BEFORE, Command("AUTH")),
        (b"AUTH PLAIN AGEAYg==", BEFORE, Command("AUTH", b"PLAIN AGEAYg==")),
        (b"LIST", AFTER, Command("LIST")),
        (b"LIST 12", AFTER, Command("LIST", numbers=(12,))),
        (b"LIST  012 ", AFTER, Command("LIST", numbers=(12,))),
        (b"TOP 1 10", AFTER, Command("TOP", numbers=(1, 10))),
    ],
)
def test_arguments(line: bytes, state: Pop3State, command: Command) -> None:
    assert parse(line, state) == command


@pytest.mark.parametrize(
    ("line", "state", "text"),
    [
        (b"", BEFORE, "Unknown command, before login there are CAPA USER PASS AUTH STLS UTF8 QUIT"),
        (b"XTND XMIT", AFTER, "Unknown command, after login there are CAPA STAT .* QUIT"),
        (b"APOP linda 0123", BEFORE, "Unknown command"),
        (b"\xff\xfe\x00", BEFORE, "Unknown command"),
        (b"GET / HTTP/1.1", BEFORE, "Unknown command"),
        (b" QUIT", BEFORE, "Unknown command"),
        (b"USER", BEFORE, "USER name is expected"),
        (b"PASS", BEFORE, "PASS password is expected"),
        (b"QUIT now", BEFORE, "QUIT is expected"),
        (b"STAT 1", AFTER, "STAT is expected"),
        (b"RETR", AFTER, "RETR message is expected"),
        (b"RETR one", AFTER, "RETR message is expected"),
        (b"RETR -1", AFTER, "RETR message is expected"),
        (b"RETR 1 2", AFTER, "RETR message is expected"),
        (b"RETR 12345678901", AFTER, "RETR message is expected"),
        ("RETR \u0661".encode(), AFTER, "RETR message is expected"),
        (b"LIST 1 2", AFTER, "LIST \\[message\\] is expected"),
        (b"TOP 1", AFTER, "TOP message lines is expected"),
        (b"TOP 1 -1", AFTER, "TOP message lines is expected"),
    ],
)
def test_mistakes(line: bytes, state: Pop3State, text: str) -> None:
    with pytest.raises(ClientError, match=text):
        parse(line, state)
