"""Whether a message matches a key of texts, and how well, where it is read to find out.

An engine answers what it can from what it has stored. For other keys, and for messages whose texts it has not stored
yet, it reads the message, and asks here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from mektup.message.comparing import COMPARISONS, certain_part
from mektup.message.text import fold, fold_header, header_values
from mektup.store.rules import fuzzy
from mektup.store.rules.compared_texts import field_has, texts_have
from mektup.store.rules.fuzzy import OF_BODY, plain, sought
from mektup.store.rules.storable_text import storable
from mektup.terms import search as terms
from mektup.terms.limits import Limits
from mektup.terms.search import AddressField, SearchKey

OF_TEXTS = (
    terms.InAddress | terms.InSubject | terms.InHeader | terms.InBody | terms.InText | terms.Fuzzy | terms.Compared
)
"""The keys that are answered here."""


class ReadMessage(Protocol):
    """A message that is read for a search. Each text is ``storable``."""

    def address(self, field: AddressField) -> str:
        """The text of the address fields of that name, folded."""

    def subject(self) -> str:
        """The decoded subject, folded."""

    def header(self) -> bytes:
        """The header, as far as it is parsed."""

    def headers(self) -> str:
        """The text of all headers, folded."""

    def body(self) -> str:
        """The text of the body, folded."""

    def texts(self, folding: Callable[[str], str]) -> tuple[str, str]:
        """The texts of the headers and of the body, made of the message's octets, folded by *folding*."""


def matches(key: SearchKey, message: ReadMessage, limits: Limits) -> bool:
    """Whether *message* matches *key*, one of OF_TEXTS."""
    match key:
        case terms.InAddress(field, text):
            return in_header_form(text) in message.address(field)
        case terms.InSubject(text):
            return in_header_form(text) in message.subject()
        case terms.InHeader(name, text):
            form = in_header_form(text)
            return any(form in storable(value) for value in header_values(message.header(), name, limits))
        case terms.InBody(text):
            return in_body_form(text) in message.body()
        case terms.InText(text):
            return in_body_form(text) in message.body() or in_header_form(text) in message.headers()
        case terms.Fuzzy():
            return relevancy(key, message, limits) > 0
        case terms.Compared():
            return _matches_compared(key, message, limits)
    raise TypeError(f"{type(key).__name__} is not about texts")


def in_header_form(text: str) -> str:
    """The form in which *text* is sought in headers."""
    return storable(fold_header(text))


def in_body_form(text: str) -> str:
    """The form in which *text* is sought in bodies."""
    return storable(fold(text))


def _matches_compared(key: terms.Compared, message: ReadMessage, limits: Limits) -> bool:
    text = fit(key.key.text)
    match key.key:
        case terms.InAddress(field):
            # an empty text is in every message, even in one without the field; as by the default comparator
            return not text or field_has(message.header(), field.value, text, key.comparator, limits)
        case terms.InSubject():
            return not text or field_has(message.header(), "subject", text, key.comparator, limits)
        case terms.InHeader(name):
            return field_has(message.header(), name, text, key.comparator, limits)
        case terms.InBody():
            in_headers = False
        case terms.InText():
            in_headers = True
    # what is stored by the default comparator is quickly looked into
    certain = certain_part(text)
    may_be = in_body_form(certain) in message.body() or (in_headers and in_header_form(certain) in message.headers())
    return may_be and texts_have(
        message.texts(COMPARISONS[key.comparator].fold), text, key.comparator, in_headers=in_headers
    )


def relevancy(key: terms.Fuzzy, message: ReadMessage, limits: Limits) -> int:
    """How well *message* matches: 1 to 100; 0 where it does not (RFC 6203 §4)."""
    text = fit(key.key.text)
    match key.key:
        case terms.InAddress(field):
            return likeness(text, [(message.address(field), 1)])
        case terms.InSubject():
            return likeness(text, [(message.subject(), 1)])
        case terms.InHeader(name):
            return likeness_of_any(text, header_values(message.header(), name, limits))
        case terms.InBody():
            return likeness(text, [(message.body(), 1)])
        case terms.InText():
            return likeness(text, [(message.headers(), 1), (message.body(), OF_BODY)])


def likeness(asked: str, texts: Sequence[tuple[str, float]]) -> int:
    """How well folded *texts*, each with a factor, together have *asked*; see ``fuzzy.relevancy``."""
    return fuzzy.relevancy(sought(asked), [(plain(text), factor) for text, factor in texts])


def likeness_of_any(asked: str, values: Iterable[str]) -> int:
    """The same for the one of folded *values* that has it best."""
    return max((likeness(asked, [(value, 1)]) for value in values), default=0)


def fit(text: str) -> str:
    """A sought *text* without what no text in a database can have."""
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
