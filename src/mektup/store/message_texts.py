"""A message that is read for a search: its texts, as they are stored or decoded from its octets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mektup.message.scan import Octets
from mektup.message.text import fold, search_text
from mektup.store.rules.storable_text import storable
from mektup.terms.limits import Limits
from mektup.terms.search import AddressField

DECODED_TOGETHER: Final = 256 * 1024
"""Messages of up to so many octets may be decoded by several threads at the same time."""

_DECODING: Final = threading.Lock()
"""Held while a larger message is decoded. The more threads want Python's lock, the longer the event loop waits."""


def texts_of(octets: Octets, limits: Limits, folding: Callable[[str], str] = fold) -> tuple[str, str]:
    """The searchable texts of a message, folded by *folding*: of all headers, and of the body."""
    if len(octets) <= DECODED_TOGETHER:
        return search_text(octets, limits, folding)
    with _DECODING:
        return search_text(octets, limits, folding)


def stored_texts_of(octets: Octets, limits: Limits) -> tuple[str, str]:
    """The same as a database can have them."""
    headers, body = texts_of(octets, limits)
    return storable(headers), storable(body)


@dataclass(slots=True)
class KnownMessage:
    """A ``text_tests.ReadMessage`` of which only what the asked keys need is known; the rest is None or missing."""

    limits: Limits
    columns: dict[str, str]
    """The subject as "subject", and the address fields by their names."""
    header_octets: bytes | None = None
    stored: tuple[str, str] | None = None
    """The texts of the headers and of the body."""
    octets: Octets | None = None

    def address(self, field: AddressField) -> str:
        """See ``ReadMessage``, also for the other methods."""
        return self.columns[field.value]

    def subject(self) -> str:
        return self.columns["subject"]

    def header(self) -> bytes:
        assert self.header_octets is not None
        return self.header_octets

    def headers(self) -> str:
        return self._texts()[0]

    def body(self) -> str:
        return self._texts()[1]

    def texts(self, folding: Callable[[str], str]) -> tuple[str, str]:
        assert self.octets is not None
        return texts_of(self.octets, self.limits, folding)

    def _texts(self) -> tuple[str, str]:
        if self.stored is None:
            assert self.octets is not None
            self.stored = stored_texts_of(self.octets, self.limits)
        return self.stored
