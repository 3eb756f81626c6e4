"""Tagged and untagged status responses (RFC 9051 §7.1).

A command returns an ``Answer``, or raises an error. Only the session writes the tagged response, with the functions of
this module; no other module makes a response of an answer or of an error. Each function takes the translation of the
session. A text without fields is made into octets once.
"""

from __future__ import annotations

from functools import lru_cache
from gettext import NullTranslations

from msgspec import Struct

from mektup.imap import texts
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.texts import ENGLISH, Text, say
from mektup.wire import codes

MAX_TEXT = 400
"""The longest human text of an answer, in characters. It may echo input, and more of that helps nobody."""


class Answer(Struct, frozen=True):
    """The OK of a command that says more than that it is completed."""

    code: bytes
    """The response code, made by ``wire.codes``; empty for none."""
    text: Text
    """The human text."""


def _spoken(text: Text, translation: NullTranslations) -> bytes:
    return _on_the_wire(text, translation) if text.fields else _constant(text, translation)


@lru_cache(maxsize=256)
def _constant(text: Text, translation: NullTranslations) -> bytes:
    return _on_the_wire(text, translation)


def _on_the_wire(text: Text, translation: NullTranslations) -> bytes:
    """Human text for the wire: one line that cannot be taken for a response code.

    It is printable ASCII, or UTF-8 in a language that the client has chosen (RFC 5255 §3.2).
    """
    said = say(text, translation)[:MAX_TEXT]
    if translation is ENGLISH:
        line = "".join(letter if " " <= letter <= "~" else "?" for letter in said)
    else:
        line = "".join(letter if letter.isprintable() else "?" for letter in said)
    return (line.lstrip("[ ") or "-").encode()


def untagged_ok(code: bytes, text: Text, translation: NullTranslations) -> bytes:
    """``* OK [code] text``, *code* with its brackets; empty for none."""
    if not code:
        return b"* OK %b\r\n" % _spoken(text, translation)
    return b"* OK %b %b\r\n" % (code, _spoken(text, translation))


def untagged_no(code: bytes, text: Text, translation: NullTranslations) -> bytes:
    """``* NO [code] text``: a warning; the command goes on (RFC 9051 §7.1.2)."""
    return b"* NO %b %b\r\n" % (code, _spoken(text, translation))


def ok(tag: bytes, answer: Answer, translation: NullTranslations) -> bytes:
    """``tag OK [code] text``."""
    if not answer.code:
        return b"%b OK %b\r\n" % (tag, _spoken(answer.text, translation))
    return b"%b OK %b %b\r\n" % (tag, answer.code, _spoken(answer.text, translation))


def no(tag: bytes | None, refusal: Refused, translation: NullTranslations) -> bytes:
    """``tag NO [code] text`` (RFC 5530), untagged where no tag could be read."""
    return (
        b" ".join(filter(None, (tag or b"*", b"NO", codes.of(refusal), _spoken(refusal.text, translation)))) + b"\r\n"
    )


def bad(tag: bytes | None, mistake: ClientError, translation: NullTranslations) -> bytes:
    """``tag BAD [code] text``, untagged where no tag could be read."""
    return (
        b" ".join(filter(None, (tag or b"*", b"BAD", codes.of(mistake), _spoken(mistake.whole, translation)))) + b"\r\n"
    )


def server_bug(tag: bytes | None, session_id: str, translation: NullTranslations) -> bytes:
    """The answer to a bug of mektup. It names the session, so that an operator finds its log lines."""
    return no(tag, Refused(Code.SERVERBUG, texts.INTERNAL_ERROR.of(session=session_id)), translation)


def bye(text: Text, translation: NullTranslations) -> bytes:
    """``* BYE text`` (RFC 9051 §7.1.5)."""
    return b"* BYE %b\r\n" % _spoken(text, translation)


def continuation(text: Text, translation: NullTranslations) -> bytes:
    """``+ text`` (RFC 9051 §7.6)."""
    return b"+ %b\r\n" % _spoken(text, translation)
