"""Sentences that people read, as values: English text with named fields, to be said in any language.

A sentence is written once, in the ``texts.py`` of its package, as a constant:

    NO_ACCOUNT = Text("there is no account {name}")
    ADDED = counted("added {count} account", "added {count} accounts")

Code that needs it fills in the fields: ``NO_ACCOUNT.of(name="linda")``. ``str()`` of the result is English; ``say``
translates it. The English text is the key into the catalogs of gettext (``mektup.locale``).

A text is for people. Protocol words, response codes, log events and exceptions for programmers are not texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from gettext import NullTranslations

ENGLISH = NullTranslations()
"""The translation that changes nothing: what a session or a program speaks unless another language was chosen."""


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence, or a part of one. Its fields are ``{name}``; a brace that is no field is doubled."""

    english: str
    """In the singular, if the sentence has a plural."""
    plural: str = ""
    """The English plural; empty if the sentence has none. The field ``count`` decides between the two."""
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)
    """The values of the fields. A value that is a text itself is translated, too."""

    def of(self, **fields: object) -> Text:
        """This sentence with values for its fields."""
        return Text(self.english, self.plural, fields)

    def __str__(self) -> str:
        return say(self, ENGLISH)


def counted(one: str, many: str) -> Text:
    """A sentence with a plural; it has a field ``{count}``."""
    return Text(one, many)


def say(text: Text, translation: NullTranslations) -> str:
    """*text* in the language of *translation*; in English where the catalog does not have it."""
    fields = text.fields
    if not fields:
        return _without_fields(text.english, translation)
    if text.plural:
        count = fields["count"]
        assert isinstance(count, int)
        pattern = translation.ngettext(text.english, text.plural, count)
    else:
        pattern = translation.gettext(text.english)
    return pattern.format_map(
        {name: say(value, translation) if isinstance(value, Text) else value for name, value in fields.items()}
    )


@lru_cache(1024)
def _without_fields(english: str, translation: NullTranslations) -> str:
    # most answers are such sentences, and are said again and again
    return translation.gettext(english).format_map({})


ABOUT = Text("{place}: {problem}")
"""What is wrong, after where it is wrong: a file, a line, a key."""

AND_SO = Text("{first}; {then}")
"""A sentence, and what follows from it or what helps."""

NOT_UTF8 = Text("not UTF-8 at octet {octet}")

AT_COLUMN = Text("{problem} at column {column}")
"""A mistake in a command, and its position in octets from 1."""

NO_SUCH_MAILBOX = Text("No such mailbox")
"""The same for a missing and for a forbidden mailbox, so that clients cannot tell them apart."""

IDLE_TOO_LONG = Text("Idle for too long")

LINE_TOO_LONG = Text("A line may have at most {octets} octets")
NOTHING_REMOVED = Text("nothing was removed")
MESSAGE_TOO_BIG = Text("A message may have at most {octets} octets")

# Passwords and names of accounts

PASSWORD_NOT_ALLOWED = Text("A password must not be empty, and not contain a control character")
NO_ACCOUNT_NAME = Text("{name} cannot be the name of an account: {reason}")
NAME_EMPTY = Text("it is empty")
NAME_BEGINS_WITH_AT = Text('it has no text before the "@"')
NAME_TOO_LONG = Text("it has more than {octets} octets")
NAME_LIKE_AN_OPTION = Text('it begins with "-", like an option of a command')
NAME_ONLY_DOTS = Text("it has only dots")
NAME_WITH_SPACE = Text("it contains a space")
NAME_WITH_INVISIBLE = Text("it contains an invisible character ({character})")
NAME_WITH = Text("it contains {character}")
NAME_WITH_TWO_AT = Text('it has more than one "@"')
NAME_WITHOUT_DOMAIN = Text('the text after the "@" is no domain')

# Flags

NO_SYSTEM_FLAG = Text("this flag cannot be set; the flags with a backslash are {flags}")
NO_KEYWORD = Text('this is not a flag: a keyword is ASCII without spaces, control characters and ( ) {{ % * " \\ ]')
KEYWORD_TOO_LONG = Text("this is longer than {octets} octets")
