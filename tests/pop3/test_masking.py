"""What a trace shows of each command."""

from __future__ import annotations

import pytest

from mektup.pop3.commands import RULES
from mektup.pop3.masking import tell_command
from mektup.session.tap import Answers


class Recorder:
    """A tap that keeps what it was told."""

    wants_content = False

    def __init__(self) -> None:
        self.shown: list[bytes | None] = []
        self.answers = Answers.LINES

    def command(self, shown: bytes, answers: Answers = Answers.LINES) -> None:
        self.shown.append(shown)
        self.answers = answers

    def rest(self, shown: bytes) -> None:
        self.shown.append(shown)

    def content(self, size: int, beginning: bytes | None) -> None:
        self.shown.append(beginning)

    def hidden(self, size: int | None) -> None:
        self.shown.append(None)


def told(line: bytes) -> Recorder:
    recorder = Recorder()
    tell_command(recorder, line)
    return recorder


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"USER linda", b"USER linda"),
        (b"USER linda secret", b"USER ***"),
        (b"PASS 1234", b"PASS ***"),
        (b"pass 12 34", b"pass ***"),
        (b"PASS ", b"PASS"),
        (b"PASS1234", None),
        (b"1234", None),
        (b"AUTH", b"AUTH"),
        (b"AUTH plain", b"AUTH plain"),
        (b"AUTH PLAIN 1234", b"AUTH PLAIN ***"),
        (b"AUTH 1234", b"AUTH ***"),
        (b"AUTH  1234 5678", b"AUTH *** ***"),
        (b"RETR 1", b"RETR 1"),
        (b"TOP 1 10", b"TOP 1 10"),
        (b"STAT", b"STAT"),
        (b"STAT secret", b"STAT ***"),
        (b"RETR 1 secret", b"RETR ***"),
    ],
)
def test_secrets_are_masked(line: bytes, shown: bytes | None) -> None:
    assert told(line).shown == [shown]


@pytest.mark.parametrize("verb", sorted(RULES))
def test_only_messages_are_shortened_and_only_challenges_hidden(verb: str) -> None:
    special = {"RETR": Answers.MESSAGE, "TOP": Answers.MESSAGE, "AUTH": Answers.CHALLENGES}
    arguments = {"TOP": b" 1 1", "RETR": b" 1"}.get(verb, b"")
    assert told(verb.encode() + arguments).answers is special.get(verb, Answers.LINES)
