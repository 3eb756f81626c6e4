"""Follows one session for those who asked for it."""

from __future__ import annotations

from collections.abc import Callable

from mektup.server.control.answer_lines import LINE_BYTES, AnswerLines, content_lines
from mektup.server.control.messages import Side
from mektup.session.tap import MASK, Answers

Tell = Callable[[Side, bytes, bool], None]
"""Gets a line without its end, and whether a command begins there."""


class SessionTap:
    """One session, followed by one asker. Knows neither the session nor its connection."""

    def __init__(self, protocol: str, tell: Tell, *, wants_content: bool, is_amid: bool, is_stranger: bool) -> None:
        """*is_amid*: the session is in the middle of a response, so nothing is told before the next command.

        *is_stranger*: it has not logged in, so what it does now may be a login.
        """
        self._tell = tell
        self._lines = AnswerLines(protocol, self._say, wants_content=wants_content, hides_tag=is_stranger)
        self._is_amid = is_amid
        self._doubts = False
        """Whether input was skipped just now: if the client does not know it, its next line may be what was skipped."""
        self.wants_content = wants_content

    def command(self, shown: bytes, answers: Answers = Answers.LINES) -> None:
        """See ``session.tap.Tap``."""
        if self._doubts:
            self.hidden(len(shown))
            return
        self._is_amid = False
        self._lines.expect(answers)
        self._tell(Side.CLIENT, _bounded(shown), True)

    def rest(self, shown: bytes) -> None:
        """See ``session.tap.Tap``."""
        self._tell(Side.CLIENT, _bounded(shown), False)

    def content(self, size: int, beginning: bytes | None) -> None:
        """See ``session.tap.Tap``."""
        for line in content_lines(size, beginning if self.wants_content else None):
            self._tell(Side.CLIENT, line, False)

    def hidden(self, size: int | None) -> None:
        """See ``session.tap.Tap``."""
        self._is_amid, self._doubts = False, size is None
        self._lines.expect_hidden()
        self._tell(Side.CLIENT, MASK if size is None else b"%b (%d octets)" % (MASK, size), False)

    def answered(self, octets: bytes) -> None:
        """The session sends *octets*."""
        if not self._is_amid:
            self._lines.take(octets)

    def _say(self, line: bytes) -> None:
        self._tell(Side.SERVER, line, False)


class Fan:
    """Several taps of one session as one."""

    def __init__(self) -> None:
        self.taps: tuple[SessionTap, ...] = ()

    @property
    def wants_content(self) -> bool:
        """See ``session.tap.Tap``."""
        return any(tap.wants_content for tap in self.taps)

    def command(self, shown: bytes, answers: Answers = Answers.LINES) -> None:
        """See ``session.tap.Tap``."""
        for tap in self.taps:
            tap.command(shown, answers)

    def rest(self, shown: bytes) -> None:
        """See ``session.tap.Tap``."""
        for tap in self.taps:
            tap.rest(shown)

    def content(self, size: int, beginning: bytes | None) -> None:
        """See ``session.tap.Tap``."""
        for tap in self.taps:
            tap.content(size, beginning)

    def hidden(self, size: int | None) -> None:
        """See ``session.tap.Tap``."""
        for tap in self.taps:
            tap.hidden(size)

    def answered(self, octets: bytes) -> None:
        """The session sends *octets*."""
        for tap in self.taps:
            tap.answered(octets)


def _bounded(line: bytes) -> bytes:
    return line if len(line) <= LINE_BYTES else b"%b ... %d octets in all" % (line[:LINE_BYTES], len(line))
