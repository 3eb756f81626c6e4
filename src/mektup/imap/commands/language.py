"""LANGUAGE (RFC 5255 §3): the language of the texts that people read."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import NullTranslations
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mektup.imap import texts
from mektup.imap.answers import Answer
from mektup.imap.commands import namespace
from mektup.locale import languages, translation_to
from mektup.terms.errors import Refused
from mektup.terms.texts import ENGLISH
from mektup.wire.requests import Language

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation

DEFAULT = "i-default"
"""English for people who may read it badly (RFC 2277 §4.5). Every session begins in it."""

LANGUAGES: Final[Mapping[str, NullTranslations]] = MappingProxyType(
    {"en": ENGLISH, **{each: translation_to(each) or ENGLISH for each in languages()}, DEFAULT: ENGLISH}
)
"""The translations, by the tags of their languages."""

SPOKEN = Answer(b"", texts.LANGUAGE_CHANGED)


async def run(session: Conversation, request: Language) -> Answer:
    """Lists the languages, or changes to the first that a range matches. Raises Refused if none does."""
    if not request.ranges:
        session.write(_line(*LANGUAGES))
        return Answer(b"", texts.LANGUAGES)
    found = next(filter(None, map(matching, request.ranges)), None)
    if found is None:
        raise Refused(None, texts.NO_SUCH_LANGUAGE)
    session.translation = LANGUAGES[found]
    session.write(_line(found))
    if session.account is not None:
        # RFC 5255 §3.2: it shows prefixes in the language
        session.write(namespace.line(session.translation))
    return SPOKEN


def matching(wanted: str) -> str | None:
    """The tag for a language range in lower case; None if there is none.

    RFC 4647 §3.4: the range loses its subtags from the end until it is a tag: tr-TR finds tr.
    """
    if wanted in ("default", "*"):
        return DEFAULT
    while wanted not in LANGUAGES:
        wanted, _, _ = wanted.rpartition("-")
        if not wanted:
            return None
    return wanted


def _line(*tags: str) -> bytes:
    return b"* LANGUAGE (%b)\r\n" % " ".join(tags).encode("ascii")
