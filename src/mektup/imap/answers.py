"""Tagged and untagged status responses (RFC 9051 §7.1).

A command returns an ``Answer``, or raises an error. Only the session writes the tagged response, with the functions of
this module; no other module makes a response of an answer or of an error.
"""

from __future__ import annotations

from msgspec import Struct

from mektup.terms.errors import ClientError, Code, Refused
from mektup.wire import codes

MAX_TEXT = 400
"""The longest human text of an answer, in characters. It may echo input, and more of that helps nobody."""


class Answer(Struct, frozen=True):
    """The OK of a command that says more than that it is completed."""

    code: bytes
    """The response code, made by ``wire.codes``; empty for none."""
    text: str
    """The human text."""


def _text(text: str) -> bytes:
    """Human text for the wire: one line of printable ASCII that cannot be taken for a response code."""
    line = "".join(letter if " " <= letter <= "~" else "?" for letter in text[:MAX_TEXT])
    return (line.lstrip("[ ") or "-").encode("ascii")


def untagged_ok(code: bytes, text: str) -> bytes:
    """``* OK [code] text``, *code* with its brackets."""
    return b"* OK %b %b\r\n" % (code, text.encode("ascii"))


def ok(tag: bytes, answer: Answer) -> bytes:
    """``tag OK [code] text``."""
    if not answer.code:
        return b"%b OK %b\r\n" % (tag, answer.text.encode("ascii"))
    return b"%b OK %b %b\r\n" % (tag, answer.code, answer.text.encode("ascii"))


def no(tag: bytes | None, refusal: Refused) -> bytes:
    """``tag NO [code] text`` (RFC 5530), untagged where no tag could be read."""
    code = codes.bad_charset() if refusal.code is Code.BADCHARSET else codes.of(refusal)
    return b" ".join(filter(None, (tag or b"*", b"NO", code, _text(str(refusal))))) + b"\r\n"


def bad(tag: bytes | None, mistake: ClientError) -> bytes:
    """``tag BAD text``, untagged where no tag could be read."""
    return b"%b BAD %b\r\n" % (tag or b"*", _text(str(mistake)))


def server_bug(tag: bytes | None, session_id: str) -> bytes:
    """The answer to a bug of mektup. It names the session, so that an operator finds its log lines."""
    return no(tag, Refused(Code.SERVERBUG, f"Internal error; the server's log has it under session {session_id}"))


def bye(text: str) -> bytes:
    """``* BYE text`` (RFC 9051 §7.1.5)."""
    return b"* BYE %b\r\n" % _text(text)
