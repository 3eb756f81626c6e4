"""RawCommand to one frozen request: the command grammar of RFC 9051 and RFC 3501."""

from __future__ import annotations

from mektup.terms.limits import Limits
from mektup.wire.receiver import RawCommand
from mektup.wire.requests import AppendStart, Request


def parse(command: RawCommand, *, utf8: bool, limits: Limits) -> Request:
    """The request that *command* makes.

    *utf8*: names of mailboxes are UTF-8 (after ENABLE IMAP4rev2 or UTF8=ACCEPT), else modified UTF-7 (where plain
    UTF-8 is let pass too). Raises ClientError with the column, and Refused(BADCHARSET) for a SEARCH charset unknown.
    """
    raise NotImplementedError


def parse_append_start(command: RawCommand, *, utf8: bool, limits: Limits) -> AppendStart | None:
    """The beginning of an APPEND at the point where its message is offered; None when it is another command.

    Also None where the offered literal is the mailbox's name. Raises ClientError.
    """
    raise NotImplementedError


def tag_of(command: RawCommand) -> bytes | None:
    """The tag, also of a command that can't be parsed; None where there is none."""
    raise NotImplementedError
