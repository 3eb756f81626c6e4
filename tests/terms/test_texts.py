"""Texts: sentences with fields, in English and in another language."""

from __future__ import annotations

from gettext import NullTranslations

import pytest

from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.texts import ENGLISH, Text, counted, say

LINES = counted("{file}: {count} line", "{file}: {count} lines")


class Backwards(NullTranslations):
    """A language with other words and another order."""

    def gettext(self, message: str) -> str:
        return {"{place}: {problem}": "{problem} ({place})", "no {thing}": "{thing} yok"}.get(message, message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        return "{count} satır, {file}"


def test_a_text_is_english_by_itself() -> None:
    assert str(Text("no {thing}").of(thing="disk")) == "no disk"


def test_a_text_is_said_in_another_language_with_its_fields() -> None:
    assert say(Text("no {thing}").of(thing="disk"), Backwards()) == "disk yok"


def test_a_text_within_a_text_is_said_in_the_same_language() -> None:
    whole = Text("{place}: {problem}").of(place="imap", problem=Text("no {thing}").of(thing="port"))
    assert say(whole, ENGLISH) == "imap: no port"
    assert say(whole, Backwards()) == "port yok (imap)"


@pytest.mark.parametrize(("count", "english"), [(0, "f: 0 lines"), (1, "f: 1 line"), (2, "f: 2 lines")])
def test_the_count_decides_between_singular_and_plural(count: int, english: str) -> None:
    said = LINES.of(file="f", count=count)
    assert str(said) == english
    assert say(said, Backwards()) == f"{count} satır, f"


def test_a_brace_that_is_no_field_is_doubled() -> None:
    assert str(Text("name:{{SCHEME}}secret")) == "name:{SCHEME}secret"


def test_braces_in_a_value_stay_as_they_are() -> None:
    assert str(Text("no {thing}").of(thing="{x}")) == "no {x}"


def test_an_error_carries_its_text_with_fields() -> None:
    refused = Refused(Code.NONEXISTENT, Text("no {thing}").of(thing="mailbox"))
    assert str(refused) == "no mailbox"
    mistake = ClientError(Text("no {thing}").of(thing="tag"), 7)
    assert str(mistake) == "no tag at column 7"
